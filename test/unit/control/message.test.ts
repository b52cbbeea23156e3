import { expect, test } from 'vitest';
import { parseJson, readControl, scheduledTime } from '../../../src/control/message.ts';
import type { ControlMessage } from '../../../src/control/message.ts';
import { controlTickId } from '../../../src/workflows/ids.ts';

const NOW = Date.parse('2025-05-05T01:30:07.891Z');
const AT = '2025-05-05T01:30:07Z';

test.each<[object, ControlMessage]>([
  [
    { kind: 'ingest', source: 's', feed: 'all_hour' },
    { kind: 'ingest', source: 's', feed: 'all_hour', nominalTime: AT },
  ],
  [
    { kind: 'pipeline', source: 's', nominalTime: '2025-05-04' },
    { kind: 'pipeline', source: 's', nominalTime: '2025-05-04T00:00:00Z' },
  ],
  [
    { kind: 'maintain', source: 's', nominalTime: '2025-05-04T13:00Z' },
    { kind: 'maintain', source: 's', nominalTime: '2025-05-04T13:00:00Z' },
  ],
  [
    { kind: 'reconcile', source: 's', nominalTime: '2025-05-04T13:00:00.999Z' },
    { kind: 'reconcile', source: 's', nominalTime: '2025-05-04T13:00:00Z' },
  ],
  [
    { kind: 'monitor', nominalTime: '2025-05-04T15:00:00+02:00' },
    { kind: 'monitor', nominalTime: '2025-05-04T13:00:00Z' },
  ],
  [{ kind: 'nightlyGold' }, { kind: 'nightlyGold', nominalTime: AT }],
  [
    { kind: 'nightlyGold', date: '2025-02-28' },
    { kind: 'nightlyGold', nominalTime: '2025-03-01T00:00:00Z' },
  ],
  [
    { kind: 'backfill', source: 's', from: '2025-05-04', to: '2025-05-05T01:00:00+01:00' },
    { kind: 'backfill', source: 's', from: '2025-05-04', to: '2025-05-05T00:00:00Z' },
  ],
  [
    { kind: 'file', bucket: 'p-inbox', name: 's/files/ä b.csv', generation: '1795474042433780' },
    { kind: 'file', bucket: 'p-inbox', name: 's/files/ä b.csv', generation: '1795474042433780' },
  ],
])('%o is read with every time in its one form', (body, message) => expect(readControl(body, NOW)).toEqual(message));

test.each<[unknown, string]>([
  [null, 'a JSON object'],
  [[], 'a JSON object'],
  ['pipeline', 'a JSON object'],
  [{}, 'kind to be one of ingest, pipeline, backfill, file, nightlyGold, maintain, reconcile, monitor'],
  [{ kind: 'polling' }, 'kind to be one of'],
  [{ kind: 'toString' }, 'kind to be one of'],
  [{ kind: ['ingest'] }, 'kind to be one of'],
  [{ kind: 'ingest', source: 's' }, 'a text for feed'],
  [{ kind: 'pipeline' }, 'a text for source'],
  [{ kind: 'pipeline', source: null }, 'a text for source'],
  [{ kind: 'pipeline', source: 's', nominalTime: 7 }, 'a text for nominalTime'],
  [{ kind: 'pipeline', source: 's', feed: 'f' }, 'no field for pipeline but kind, source, nominalTime'],
  [{ kind: 'pipeline', source: 's', from: '2025-05-04', to: '2025-05-05' }, 'no field for pipeline but'],
  [{ kind: 'monitor', state: {} }, 'no field for monitor but kind, nominalTime'],
  [JSON.parse('{"kind":"monitor","__proto__":{"nominalTime":"2025-05-04"}}'), 'no field for monitor but'],
  [{ kind: 'backfill', source: 's', from: '2025-05-04' }, 'a text for to'],
  [{ kind: 'backfill', source: 's', from: '2025-05-05', to: '2025-05-05' }, 'from before to'],
  [{ kind: 'backfill', source: 's', from: '2025-05-05', to: 'soon' }, 'to as 2025-05-04 or'],
  [{ kind: 'pipeline', source: '../s' }, 'source, a name of'],
  [{ kind: 'pipeline', source: 'S' }, 'source, a name of'],
  [{ kind: 'pipeline', source: 's'.repeat(101) }, 'source, a name of'],
  [{ kind: 'pipeline', source: 's', nominalTime: 'noon' }, 'nominalTime as 2025-05-04 or'],
  [{ kind: 'pipeline', source: 's', nominalTime: '2025-05-04T13:00:00' }, 'nominalTime as 2025-05-04 or'],
  [{ kind: 'pipeline', source: 's', nominalTime: '2025-02-30T13:00:00Z' }, 'nominalTime as 2025-05-04 or'],
  [{ kind: 'nightlyGold', date: '2025-02-30' }, 'date as 2025-05-04'],
  [{ kind: 'nightlyGold', date: '2025-05-04T00:00:00Z' }, 'date as 2025-05-04'],
  [{ kind: 'nightlyGold', date: '2025-05-04', nominalTime: '2025-05-05' }, 'either nominalTime or date'],
  [{ kind: 'file', bucket: 'p-inbox', name: 'a' }, 'a text for generation'],
  [{ kind: 'file', bucket: 'p/inbox', name: 'a', generation: '1' }, 'bucket, the name of'],
  [{ kind: 'file', bucket: 'p-inbox', name: '', generation: '1' }, 'name, the name of'],
  [{ kind: 'file', bucket: 'p-inbox', name: 'a\nb', generation: '1' }, 'name, the name of'],
  [{ kind: 'file', bucket: 'p-inbox', name: 'ä'.repeat(513), generation: '1' }, 'name, the name of'],
  [{ kind: 'file', bucket: 'p-inbox', name: 'a', generation: '1e3' }, 'generation, the digits of'],
])('%j is refused', (body, expected) =>
  expect(() => readControl(body, NOW)).toThrow(
    expect.objectContaining({
      code: 'CUP_REQUEST_INVALID',
      details: { expected: expect.stringContaining(expected) as string },
    }),
  ),
);

test('what was sent is not in the text of a refusal', () => {
  const secret = 'hunter2';
  for (const body of [{ kind: secret }, { kind: 'monitor', [secret]: 1 }, { kind: 'pipeline', source: `${secret}!` }])
    expect(() => readControl(body, NOW)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining(secret) as string }),
    );
  expect(() => parseJson(Buffer.from(secret))).toThrow(/^CUP_REQUEST_INVALID: (?!.*hunter2)/);
});

test('Cloud Scheduler tells its time in UTC or with an offset', () => {
  expect(scheduledTime('2025-05-05T01:30:00Z')).toBe(Date.parse('2025-05-05T01:30:00Z'));
  expect(scheduledTime('2025-05-05T03:30:00.123456789+02:00')).toBe(Date.parse('2025-05-05T01:30:00.123Z'));
  for (const header of ['', 'Mon, 05 May 2025 01:30:00 GMT', '1746408600'])
    expect(() => scheduledTime(header)).toThrow(expect.objectContaining({ code: 'CUP_REQUEST_INVALID' }));
});

test('a tick is named by what was asked for', () => {
  const nominalTime = AT;
  expect(controlTickId({ kind: 'ingest', source: 's', feed: 'f', nominalTime })).toBe(`tick/control/ingest/s/f-${AT}`);
  expect(controlTickId({ kind: 'pipeline', source: 's', nominalTime })).toBe(`tick/control/pipeline/s-${AT}`);
  expect(controlTickId({ kind: 'monitor', nominalTime })).toBe(`tick/control/monitor-${AT}`);
});
