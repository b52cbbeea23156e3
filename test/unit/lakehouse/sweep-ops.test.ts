import { expect, test } from 'vitest';
import { sweepOps } from '../../../src/lakehouse/committer/index.ts';
import { DeltaStore } from '../../../src/lakehouse/deltas/index.ts';
import type { Done, Manifest } from '../../../src/lakehouse/deltas/index.ts';
import { MemoryObjects } from '../../support/memory-objects.ts';

const DAY = 24 * 3_600_000;
const NOW = Date.UTC(2025, 5, 1);
const SETTLED = 'a'.repeat(64);
const OPEN = 'b'.repeat(64);
const DEAD = 'c'.repeat(64);

/** Ages in days by name of object in the ops bucket. */
async function sweep(ages: Record<string, number>) {
  const memory = new MemoryObjects();
  const deltas = new DeltaStore(memory.store, 'ops');
  const named = `gs://ops/_deltas/silver.s/${SETTLED}/won.parquet`;
  memory.now = NOW - 100 * DAY;
  const manifest = { table: 'silver.s', batchId: SETTLED, files: [{ uri: named, bucket: 0, rows: 1, bytes: 1 }] };
  await deltas.writeManifest(manifest as unknown as Manifest);
  await deltas.writeDone('silver.s', { batchId: SETTLED } as unknown as Done);
  await memory.create(named, 'x');
  const truth = new Set(memory.uris);
  for (const [name, days] of Object.entries(ages)) {
    memory.now = NOW - days * DAY;
    await memory.create(`gs://ops/${name}`, 'x');
  }
  const resources = { store: memory.store, deltas, opsBucket: 'ops', keptGroups: new Set<string>(), nowMs: NOW };
  const swept = await sweepOps(resources, { table: 'silver.s', source: 's' });
  const left = memory.uris.filter((uri) => !truth.has(uri)).map((uri) => uri.slice('gs://ops/'.length));
  expect(memory.uris).toEqual(expect.arrayContaining([...truth])); // what a manifest names, and it itself, never go
  return { swept, left };
}

test('delta files that no manifest names go after three days, younger ones may still be published', async () => {
  const { swept, left } = await sweep({
    [`_deltas/silver.s/${SETTLED}/lost.parquet`]: 3,
    [`_deltas/silver.s/${SETTLED}/zombie.parquet`]: 2.9,
    [`_deltas/silver.s/${DEAD}/died.parquet`]: 10,
    [`_deltas/silver.other/${DEAD}/died.parquet`]: 10,
    [`_deltas/silver.s/groups/${DEAD}.json`]: 10,
  });
  expect(swept).toEqual({ plans: 0, chunks: 0, deltas: 2, streamed: 0, groups: 0 });
  expect(left).toEqual([
    `_deltas/silver.other/${DEAD}/died.parquet`,
    `_deltas/silver.s/${SETTLED}/zombie.parquet`,
    `_deltas/silver.s/groups/${DEAD}.json`,
  ]);
});

test('the chunk of a settled batch goes, that of an open one stays for as long as a run may take', async () => {
  const { swept, left } = await sweep({
    [`chunks/${SETTLED}.json`]: 4,
    [`chunks/${SETTLED}.landed.json`]: 4,
    [`chunks/${OPEN}.json`]: 89,
    [`chunks/${DEAD}.json`]: 90,
  });
  expect(swept.chunks).toBe(3);
  expect(left).toEqual([`chunks/${OPEN}.json`]);
});

test('plans go with their indexes, and marks of audited batches, after ninety days', async () => {
  const { swept, left } = await sweep({
    'plans/old.ndjson': 90,
    'plans/old.index.json': 90,
    'plans/new.ndjson': 89,
    'backfills/aa/batches/old': 90,
    'backfills/aa/batches/new': 89,
    'pulls/s/fdsn/run/old.json': 90,
    'streams/_reports/s/old.json': 90,
    'streams/s/000000000001.json': 400,
    '_pulled/s/fdsn/dt=2025-01-01/hr=00/run.json': 400,
    'contracts/s/h.json': 400,
    '_outbox/s/all_hour/x': 400,
  });
  expect(swept.plans).toBe(5);
  expect(left).toEqual([
    '_outbox/s/all_hour/x',
    '_pulled/s/fdsn/dt=2025-01-01/hr=00/run.json',
    'backfills/aa/batches/new',
    'contracts/s/h.json',
    'plans/new.ndjson',
    'streams/s/000000000001.json',
  ]);
});
