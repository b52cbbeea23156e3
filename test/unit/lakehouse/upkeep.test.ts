import { createHash } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import { bronzeName, hourOf } from '../../../src/lakehouse/bronze/index.ts';
import type { EventKind, LedgerEvent, LedgerState } from '../../../src/lakehouse/ledger/index.ts';
import { arrivalEvent, ledgerEvent } from '../../../src/lakehouse/ledger/index.ts';
import { findStale, reconcileBronze } from '../../../src/lakehouse/upkeep/index.ts';
import type { ReconcileResources } from '../../../src/lakehouse/upkeep/index.ts';
import { earthquakes } from '../../support/contracts.ts';
import { MemoryObjects } from '../../support/memory-objects.ts';

const contract = earthquakes();
const HOUR = 3_600_000;

let memory: MemoryObjects;
let events: LedgerEvent[];
let published: string[];

beforeEach(() => {
  memory = new MemoryObjects();
  events = [];
  published = [];
});

/** A ledger in memory: the last event of each subject. */
const ledger = {
  append(added: LedgerEvent[]) {
    events.push(...added);
    return Promise.resolve();
  },
  latest(_source: string, kinds: EventKind[]) {
    const newest = new Map(events.map((event) => [`${event.kind} ${event.subject}`, event]));
    const states = [...newest.values()].filter(({ kind }) => kinds.includes(kind));
    return Promise.resolve(
      states.map((event) => ({
        ...event,
        occurredAt: event.occurred_at,
        detail: JSON.parse(event.detail) as Record<string, unknown>,
      })) as LedgerState[],
    );
  },
};

const resources = (): ReconcileResources => ({
  store: memory.store,
  ledger,
  bronzeBucket: 'bronze',
  opsBucket: 'ops',
  quarantineBucket: 'quarantine',
  publisher: {
    publish(_contract, object) {
      published.push(object);
      return Promise.resolve(1);
    },
  },
  progress: () => undefined,
});

const at = (text: string): Date => new Date(`2025-01-01T${text}Z`);
const range = { from: at('00:00'), to: at('23:00') };

/** Lands an answer under an hour; its carrier order may be another time. */
async function land(feed: string, hour: string, generated = at(hour), text?: string): Promise<string> {
  const body =
    text ??
    JSON.stringify({ type: 'FeatureCollection', metadata: { generated: generated.getTime(), feed }, features: [] });
  const sha256 = createHash('sha256').update(body).digest('hex');
  const name = bronzeName({ source: 'earthquakes', feed, hour: hourOf(at(hour)), sha256, extension: 'geojson' });
  await memory.create(`gs://bronze/${name}`, body);
  return name;
}

async function know(name: string, ok = true): Promise<void> {
  await ledger.append([
    arrivalEvent('earthquakes', { name, generation: '1' }, ok ? { ok } : { ok, code: 'c', detail: 'd' }),
  ]);
}

const mark = (name: string) => memory.create(`gs://ops/_outbox/${name}`, '');
const reconcile = (run = 'run') => reconcileBronze(resources(), contract, range, run);
const newest = (kind: EventKind, subject: string) =>
  events.findLast((event) => event.kind === kind && event.subject === subject)?.state;

test('registers what the ledger does not know, publishes what has no marker, and is balanced the second time', async () => {
  const known = await land('all_hour', '01:00');
  await know(known);
  await mark(known);
  const unmarked = await land('all_hour', '02:00');
  await know(unmarked);
  const lost = await land('all_day', '02:00');
  const broken = await land('all_hour', '03:00', at('03:00'), '{}');
  expect(await reconcile()).toMatchObject({ objects: 4, arrived: 2, registered: 2, refused: 1, republished: 2 });
  expect(published.sort()).toEqual([lost, unmarked].sort());
  expect(newest('arrival', `${lost}#1`)).toBe('verified');
  expect(newest('arrival', `${broken}#1`)).toBe('refused');
  expect(memory.uris.filter((uri) => uri.startsWith('gs://quarantine/'))).toHaveLength(1);
  expect(events.findLast(({ kind }) => kind === 'reconciliation')?.state).toBe('mended');

  expect(await reconcile('again')).toMatchObject({ objects: 4, arrived: 4, registered: 0, republished: 0 });
  expect(published).toHaveLength(2);
  expect(events.findLast(({ kind }) => kind === 'reconciliation')?.state).toBe('balanced');
});

test('objects and markers of other hours are not looked at', async () => {
  const name = bronzeName({
    source: 'earthquakes',
    feed: 'all_hour',
    hour: '2025-01-02T00',
    sha256: 'a'.repeat(64),
    extension: 'geojson',
  });
  await memory.create(`gs://bronze/${name}`, 'x');
  expect(await reconcile()).toMatchObject({ objects: 0, registered: 0 });
});

test('a missing run that is filled is taken back, and told of again where a part of it is still missing', async () => {
  for (const hour of ['01:00', '05:00', '08:00', '10:00']) await land('all_hour', hour);
  const run = (from: string, to: string, slots: number) => ({
    feed: 'all_hour',
    from: at(from).toISOString(),
    to: at(to).toISOString(),
    slots,
  });
  const past = [run('02:00', '05:00', 3), run('06:00', '10:00', 4)];
  const tell = (of: { feed: string; from: string }) =>
    ledgerEvent('missing', 'earthquakes', `${of.feed}/${of.from}`, 'missing', '', of);
  await ledger.append(past.map(tell));
  // 06:00 to 10:00 was told before 08:00 landed: it is two runs now, one of which begins where the old one did.
  expect(await reconcile()).toMatchObject({ missingRuns: 3, found: 0 });
  for (const hour of ['02:00', '03:00', '04:00', '06:00']) await land('all_hour', hour);
  expect(await reconcile('second')).toMatchObject({ missingRuns: 2, found: 2 });
  expect(newest('missing', 'all_hour/2025-01-01T02:00:00.000Z')).toBe('found');
  expect(newest('missing', 'all_hour/2025-01-01T06:00:00.000Z')).toBe('found');
  expect(newest('missing', 'all_hour/2025-01-01T07:00:00.000Z')).toBe('missing');
  expect(newest('missing', 'all_hour/2025-01-01T09:00:00.000Z')).toBe('missing');
});

const gap = (feed: string, nominal: string) =>
  ledger.append([
    ledgerEvent('gap', 'earthquakes', `${feed}/${at(nominal).toISOString()}`, 'gap', '', { object: 'o' }),
  ]);

test('a gap stays while its hour holds only what came too late, and goes with an answer in time', async () => {
  await gap('all_hour', '13:00');
  await land('all_hour', '13:00', at('13:35')); // the late answer itself: its own hour is the nominal one
  expect(await reconcile()).toMatchObject({ gaps: 1, coveredGaps: 0, found: 0 });
  await land('all_hour', '13:00', at('12:59'));
  expect(await reconcile('second')).toMatchObject({ gaps: 0, found: 1 });
  expect(newest('gap', 'all_hour/2025-01-01T13:00:00.000Z')).toBe('found');
});

test('a wider answer covers a gap and does not end it', async () => {
  await gap('all_hour', '13:00');
  await land('all_day', '12:00', at('12:30')); // generated before the gap's time: it cannot hold it
  expect(await reconcile()).toMatchObject({ gaps: 1, coveredGaps: 0 });
  await land('all_day', '18:00', at('18:01'));
  expect(await reconcile('second')).toMatchObject({ gaps: 1, coveredGaps: 1, found: 0 });
});

const NOW = at('12:00').getTime();

async function look(now = NOW) {
  const sources = [{ contract, freshnessMs: 2 * HOUR }];
  const findings = await findStale({ store: memory.store, ledger, bronzeBucket: 'bronze' }, sources, now);
  return Object.fromEntries(findings.map(({ subject, state }) => [subject.slice('freshness/'.length), state]));
}

test('what is overdue says what to type', async () => {
  await ledger.append([event('partition', 'all_hour/2025-01-01T02', 'done', at('02:10'))]);
  const sources = [{ contract, freshnessMs: 2 * HOUR }];
  const findings = await findStale({ store: memory.store, ledger, bronzeBucket: 'bronze' }, sources, NOW);
  expect(findings.find(({ subject }) => subject === 'freshness/silver.earthquakes')).toMatchObject({
    reason: 'newest done partition of 2025-01-01T02:00Z, expected one in 2 h',
    todo: 'cupel run earthquakes --from 2025-01-01T02:00Z --to 2025-01-01T12:00Z',
  });
});

const event = (kind: EventKind, subject: string, state: string, when: Date) =>
  ledgerEvent(kind, 'earthquakes', subject, state, '', {}, when);

test('when nothing ran at all, every feed and table is overdue', async () => {
  expect(await look()).toEqual({
    'earthquakes/all_hour': 'failed',
    'earthquakes/all_day': 'failed',
    'earthquakes/all_week': 'failed',
    'silver.earthquakes': 'failed',
    'gold/earthquakes': 'healthy', // nothing waits for it
  });
});

test('what runs is fresh, until it stands still for longer than two intervals and what an answer reaches back', async () => {
  for (const feed of ['all_hour', 'all_day', 'all_week']) await land(feed, '10:00');
  await ledger.append([
    event('partition', 'all_hour/2025-01-01T10', 'done', at('10:10')),
    event('materialization', 'gold', 'succeeded', at('10:15')),
  ]);
  expect(new Set(Object.values(await look()))).toEqual(new Set(['healthy']));
  const later = await look(NOW + 3 * HOUR);
  expect(later).toMatchObject({ 'earthquakes/all_hour': 'failed', 'silver.earthquakes': 'failed' });
  expect(later).toMatchObject({ 'earthquakes/all_day': 'healthy', 'gold/earthquakes': 'healthy' });
  expect(await look(NOW + 40 * HOUR)).toMatchObject({
    'earthquakes/all_day': 'failed',
    'earthquakes/all_week': 'healthy',
  });
});

test('Gold is overdue when Silver has had something newer for more than a night', async () => {
  await ledger.append([
    event('materialization', 'gold', 'succeeded', at('01:00')),
    event('partition', 'all_hour/2025-01-01T02', 'done', at('02:10')),
  ]);
  expect(await look(at('02:00').getTime() + 26 * HOUR)).toMatchObject({ 'gold/earthquakes': 'healthy' });
  expect(await look(at('03:00').getTime() + 26 * HOUR)).toMatchObject({ 'gold/earthquakes': 'failed' });
});
