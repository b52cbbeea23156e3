import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { PROJECT } from '../../scripts/tools.ts';
import { isPolled } from '../../src/contracts/index.ts';
import { loadContract } from '../../src/lakehouse/contract-store.ts';
import { declaredSchedules } from '../../src/schedules/index.ts';
import { declaredShape, differences } from '../../src/schedules/shape.ts';

const contract = await loadContract(path.join(PROJECT, 'sources'), 'earthquakes');

const declared = (text: string) => declaredSchedules(text, [contract], 'schedules.yaml');
const ids = (text: string): string[] => declared(text).map(({ id }) => id);
const when = (text: string): Record<string, string> =>
  Object.fromEntries(declared(text).map((schedule) => [schedule.id, declaredShape(schedule).when]));

test("the project's own file declares every feed that has an interval, and all upkeep", async () => {
  const text = await readFile(path.join(PROJECT, 'schedules.yaml'), 'utf8');
  expect(when(text)).toEqual({
    'ingest/earthquakes/all_day': 'every 6h',
    'ingest/earthquakes/all_hour': 'every 1h',
    'ingest/earthquakes/all_week': 'every 7d',
    'maintain/earthquakes': 'at 03:30 UTC',
    monitor: 'every 15m',
    nightlyGold: 'at 01:30 UTC',
    'pipeline/earthquakes': 'every 1h from 10m',
    'reconcile/earthquakes': 'at 03:00 UTC',
  });
});

test('a feed without an interval has no schedule', () => {
  const feeds = contract.feeds
    .filter(isPolled)
    .map(({ name, url, coverageSeconds }) => ({ name, url, coverageSeconds }));
  expect(declaredSchedules('ingest: {}', [{ ...contract, feeds }], 'f')).toEqual([]);
});

test('times of the day, weekdays and the time zone', () => {
  const text = `
defaults: { timeZone: Europe/Berlin }
nightlyGold: { at: ['18:00', '06:30', '06:30'], on: [fri, mon] }
monitor: { at: '00:00', timeZone: UTC }`;
  expect(when(text)).toEqual({
    monitor: 'at 00:00 UTC',
    nightlyGold: 'at 06:30 on mon, fri Europe/Berlin; at 18:00 on mon, fri Europe/Berlin',
  });
});

test('a source differs by policy, by timing, by having none', () => {
  const general = 'pipeline: { every: 1h, offset: 10m, overlap: bufferOne }\nmaintain: { at: "03:30" }\n';
  const own = (text: string) => declared(`${general}sources: { earthquakes: { ${text} } }`);
  const [, same] = own('pipeline: { jitter: 1m }');
  expect(same).toMatchObject({ timing: { everySeconds: 3600, offsetSeconds: 600 }, jitterSeconds: 60 });
  const [, other] = own('pipeline: { at: "05:00" }');
  expect(other).toMatchObject({ timing: { atMinutes: [300] }, overlap: 'bufferOne' });
  expect(own('pipeline: false').map(({ id }) => id)).toEqual(['maintain/earthquakes']);
  expect(ids('maintain: false\nsources: { earthquakes: { maintain: { at: "01:00" } } }')).toEqual([
    'maintain/earthquakes',
  ]);
});

test.each([
  ['nightlyGold: { every: 1h, at: "01:00" }', 'either every or at'],
  ['nightlyGold: {}', 'either every or at'],
  ['nightlyGold: { every: 0s }', 'every above 0'],
  ['nightlyGold: { every: 1h, offset: 1h }', 'an offset below it'],
  ['nightlyGold: { at: "25:00" }', 'nightlyGold'],
  ['nightlyGold: { at: "01:00", offset: 5m }', 'offset only beside every'],
  ['nightlyGold: { every: 1h, on: [mon] }', 'on only beside at'],
  ['nightlyGold: { at: "01:00", timeZone: Mars/Olympus }', 'a time zone of IANA'],
  ['nightlyGold: { at: "01:00", overlap: maybe }', 'nightlyGold.overlap'],
  ['nightlygold: { at: "01:00" }', 'nightlygold'],
  ['ingest: { every: 5m }', 'every'],
  ['sources: { quakes: { maintain: false } }', 'earthquakes'],
])('%s is refused, and the error says where and what was expected', (text, expected) => {
  expect(() => declared(text)).toThrow(expected);
  expect(() => declared(text)).toThrow('CUP_SCHEDULES_INVALID');
});

test('what differs is told field by field', () => {
  const [before] = declared('monitor: { every: 15m }');
  const [after] = declared('monitor: { every: 30m, catchupWindow: 1h }');
  if (!before || !after) throw new Error('expected two schedules');
  expect(differences(declaredShape(before), declaredShape(after))).toEqual([
    { field: 'when', from: 'every 15m', to: 'every 30m' },
    { field: 'catchupWindow', from: '10m', to: '1h' },
  ]);
  expect(differences(declaredShape(before), declaredShape(before))).toEqual([]);
});
