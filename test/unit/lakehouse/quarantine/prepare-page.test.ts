import { beforeEach, expect, test } from 'vitest';
import { partitionsOf } from '../../../../src/lakehouse/bronze/index.ts';
import { DeltaStore } from '../../../../src/lakehouse/deltas/index.ts';
import { arrivalEvent, ledgerEvent } from '../../../../src/lakehouse/ledger/index.ts';
import { preparePage } from '../../../../src/lakehouse/quarantine/index.ts';
import { earthquakes } from '../../../support/contracts.ts';
import { memoryLedger } from '../../../support/memory-ledger.ts';
import type { MemoryLedger } from '../../../support/memory-ledger.ts';
import { MemoryObjects } from '../../../support/memory-objects.ts';

const contract = earthquakes();
const PARTITION = 'all_hour/2025-01-01T03';
const NAME = `earthquakes/all_hour/dt=2025-01-01/hr=03/${'a'.repeat(64)}.geojson`;
const object = { name: NAME, generation: '1', bytes: 2, partition: PARTITION };

let memory: MemoryObjects;
let ledger: MemoryLedger;
let deltas: DeltaStore;

beforeEach(async () => {
  memory = new MemoryObjects();
  ledger = memoryLedger();
  deltas = new DeltaStore(memory.store, 'ops');
  await memory.create(`gs://bronze/${NAME}`, '{}');
  await ledger.append([arrivalEvent('earthquakes', object, { ok: true })]);
});

const prepare = (again: string[], run = 'run') => {
  const buckets = { bronzeBucket: 'bronze', quarantineBucket: 'q' };
  const resources = { store: memory.store, deltas, ledger, ...buckets, progress: () => undefined };
  return preparePage(resources, contract, { partitions: [PARTITION], again, entries: [] }, run);
};

async function markDone(fingerprint: string): Promise<void> {
  await ledger.append([ledgerEvent('partition', 'earthquakes', PARTITION, 'done', fingerprint)]);
}

const currentFingerprint = (): string => partitionsOf(contract, [object])[0]?.fingerprint ?? '';

test('a partition that was done under another contract is the batch that every run makes of it', async () => {
  await markDone('under another contract');
  const [chunk] = await prepare([]);
  expect(chunk).toMatchObject({ objects: 1, partitions: 1, published: false });
  expect(await prepare([], 'another run')).toEqual([chunk]);
});

test('a partition that is done under the current contract is left alone', async () => {
  await markDone(currentFingerprint());
  expect(await prepare([])).toEqual([]);
});

test('unless this contract refused before what it accepts now: then it is a batch of its own, the same at every retry', async () => {
  await markDone(currentFingerprint());
  const chunks = await prepare([PARTITION]);
  expect(chunks).toMatchObject([{ objects: 1, published: false }]);
  expect(await prepare([PARTITION])).toEqual(chunks);
  expect((await prepare([PARTITION], 'another run'))[0]?.batchId).not.toBe(chunks[0]?.batchId);
});

test('a partition that failed is taken again', async () => {
  await ledger.append([ledgerEvent('partition', 'earthquakes', PARTITION, 'failed', currentFingerprint())]);
  expect(await prepare([])).toHaveLength(1);
});
