import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { bronzeName, listBronze } from '../../src/lakehouse/bronze/index.ts';
import { commitWaiting, compact, expireSnapshots } from '../../src/lakehouse/committer/index.ts';
import { publishContract } from '../../src/lakehouse/contract-store.ts';
import { explain, readKey } from '../../src/lakehouse/explain/index.ts';
import type { Explanation, RecordStory, RowStory } from '../../src/lakehouse/explain/index.ts';
import { IcebergTable } from '../../src/lakehouse/iceberg/index.ts';
import { batchEvents } from '../../src/lakehouse/ledger/index.ts';
import { toChunk } from '../../src/lakehouse/planning/chunks.ts';
import { validateObjects } from '../../src/lakehouse/planning/validate.ts';
import { earthquakes } from '../support/contracts.ts';
import { runKappaJob } from '../support/kappa-job.ts';
import { startLake } from '../support/lake.ts';
import type { Lake } from '../support/lake.ts';
import { memoryLedger } from '../support/memory-ledger.ts';
import type { MemoryLedger } from '../support/memory-ledger.ts';

let lake: Lake;
let ledger: MemoryLedger;
const contract = earthquakes((yaml) => yaml.replace('maxShare: 0.01', 'maxShare: 0.9'));

const DAY = { from: new Date('2025-05-04T00:00:00Z'), to: new Date('2025-05-05T00:00:00Z') };
const at = (minute: number): number => Date.UTC(2025, 4, 4, 12, minute);

interface Quake {
  id: string;
  updated: number;
  mag?: number | string;
}

const feature = ({ id, updated, mag = 1 }: Quake) => ({
  type: 'Feature',
  id,
  properties: { mag, time: at(0), updated, tsunami: 0, place: 'somewhere' },
  geometry: { type: 'Point', coordinates: [1, 2, 3] },
});

/** Lands an answer of the feed; returns its name. */
async function land(hour: number, generated: number, quakes: Quake[], of = contract): Promise<string> {
  const text = JSON.stringify({
    type: 'FeatureCollection',
    metadata: { generated },
    features: quakes.map(feature),
  });
  return landText(hour, text, createHash('sha256').update(text).digest('hex'), of);
}

async function landText(hour: number, text: string, sha256: string, of = contract): Promise<string> {
  const nominal = `2025-05-04T${String(hour).padStart(2, '0')}`;
  const name = bronzeName({ source: of.source, feed: 'all_hour', hour: nominal, sha256, extension: 'geojson' });
  await lake.store.create(`gs://cupel-bronze/${name}`, text);
  // The next object lands later: storage tells time in milliseconds.
  const landed = Date.now();
  while (Date.now() === landed) await new Promise((resolve) => setImmediate(resolve));
  return name;
}

/** Processes hours as a pipeline does, up to the manifest; returns the batch. */
async function process(of: CompiledContract, hours: number[]): Promise<string> {
  const wanted = hours.map((hour) => `all_hour/2025-05-04T${String(hour).padStart(2, '0')}`);
  const listed = (await listBronze(lake.store, 'cupel-bronze', of, DAY)).filter(({ partition }) =>
    wanted.includes(partition),
  );
  const resources = { store: lake.store, bronzeBucket: 'cupel-bronze', quarantineBucket: 'cupel-quarantine' };
  const validation = await validateObjects({ ...resources, progress: () => undefined }, of, listed, new Map());
  const chunk = toChunk(of, validation.accepted, listed);
  const { code, stderr } = await runKappaJob(lake, chunk);
  expect(`${code} ${stderr}`).toBe('0 ');
  return chunk.batchId;
}

async function commit(of: CompiledContract, batchId: string, enter = true): Promise<void> {
  await commitWaiting(lake, of, [batchId]);
  const table = `${of.sink.namespace}.${of.sink.table}`;
  if (enter) await ledger.append(await batchEvents(lake.deltas, of.source, table, batchId));
}

const resources = () => ({
  ...lake,
  ledger,
  bronzeBucket: 'cupel-bronze',
  quarantineBucket: 'cupel-quarantine',
  opsBucket: 'cupel-ops',
  progress: () => undefined,
});

async function explained(key: string, of = contract, range?: { from: Date; to: Date }): Promise<Explanation> {
  const found = await explain(resources(), of, readKey(of, key), range);
  expect(JSON.parse(JSON.stringify(found))).toEqual(found);
  return found;
}

async function rowOf(key: string, of = contract, range?: { from: Date; to: Date }): Promise<RowStory> {
  const { rows } = await explained(key, of, range);
  expect(rows).toHaveLength(1);
  return rows[0]!;
}

const shown = ({ records }: RowStory) =>
  records.map(({ object, offset, outcome, lostBy, content, processing }) => [
    `${object}#${offset}`,
    outcome,
    lostBy?.part ?? null,
    content,
    processing.state,
  ]);

const winnerOf = ({ records }: RowStory): RecordStory | undefined => records.find((of) => of.outcome === 'winner');

const table = async () => (await IcebergTable.load(lake.catalog, lake.store, 'silver', 'earthquakes')) as IcebergTable;

beforeAll(async () => {
  lake = await startLake();
  ledger = memoryLedger();
  await publishContract(lake.store, 'cupel-ops', contract);
});
afterAll(() => lake.stop());

let first: string;
let later: string;
let latest: string;
let repeat: string;

test('a real tie: of two contents of one version the later answer wins, and its sightings before are duplicates', async () => {
  const tie = [{ id: 'tie', updated: at(10), mag: 2 }];
  first = await land(12, at(20), [
    { id: 'tie', updated: at(10), mag: 9 },
    { id: 'late', updated: at(30), mag: 5 },
  ]);
  later = await land(12, at(40), tie);
  await commit(contract, await process(contract, [12]));
  latest = await land(13, at(60), [...tie, { id: 'late', updated: at(5), mag: 7 }]);
  await commit(contract, await process(contract, [13]));
  const row = await rowOf('tie');
  expect(row.verdict).toMatchObject({ state: 'agrees' });
  expect(row).toMatchObject({ tie: true, decidedBy: { part: '_carrier_order', tiedIn: ['updated_at', '_tombstone'] } });
  expect(shown(row)).toEqual([
    [`${latest}#0`, 'winner', null, 'A', 'settled'],
    [`${later}#0`, 'lost', '_carrier_order', 'A', 'settled'],
    [`${first}#0`, 'lost', '_carrier_order', 'B', 'settled'],
  ]);
  expect(row.records[2]?.why).toBe('tie of updated_at: generated (_carrier_order) earlier; other content');
  expect(row.records[1]?.why).toBe(
    'tie of updated_at: generated (_carrier_order) earlier; the same content, a duplicate',
  );
  const [one, two] = (await table()).snapshots.map((snapshot) => String(snapshot['snapshot-id']));
  expect(winnerOf(row)).toMatchObject({ inSilver: true, becameRow: { snapshotId: two, since: 'exact' } });
  expect(row.records[1]).toMatchObject({ inSilver: false, becameRow: { snapshotId: one, since: 'exact' } });
  expect(row.records[2]?.becameRow).toBeNull();
  expect(row.silver).toMatchObject({ recordId: `${latest}#0`, current: true, values: { magnitude: 2 } });
  expect(winnerOf(row)?.becameRow?.batchIds).toHaveLength(1);
});

test('an older version in a later poll loses by its version, and is told to be the first version', async () => {
  const row = await rowOf('event_id=late');
  expect(row.verdict.state).toBe('agrees');
  expect(row.decidedBy).toEqual({ part: 'updated_at', tiedIn: [] });
  expect(shown(row)).toEqual([
    [`${first}#1`, 'winner', null, 'A', 'settled'],
    [`${latest}#1`, 'lost', 'updated_at', 'B', 'settled'],
  ]);
  expect(row.records[1]?.why).toBe('updated_at older; other content');
  expect(row.silver?.values).toMatchObject({ magnitude: 5, _first_version: '2025-05-04T12:05:00.000000Z' });
});

test('the same object in another hour is the same record: a duplicate, whose lesser id stands', async () => {
  repeat = await land(14, at(60), [
    { id: 'tie', updated: at(10), mag: 2 },
    { id: 'late', updated: at(5), mag: 7 },
  ]);
  expect(repeat).not.toBe(latest);
  await commit(contract, await process(contract, [14]));
  const row = await rowOf('tie');
  expect(row.verdict.state).toBe('agrees');
  expect(shown(row).slice(0, 2)).toEqual([
    [`${latest}#0`, 'winner', null, 'A', 'settled'],
    [`${repeat}#0`, 'lost', 'record', 'A', 'settled'],
  ]);
});

test('what landed and is not committed yet is told so, by how far it has come', async () => {
  const fresh = await land(15, at(90), [{ id: 'tie', updated: at(80), mag: 3 }]);
  const landed = await rowOf('tie');
  expect(landed.verdict).toMatchObject({ state: 'pending' });
  expect(landed.verdict.text).toContain(`${fresh}#0 has landed and is not committed yet`);
  expect(shown(landed)[0]).toEqual([`${fresh}#0`, 'winner', null, 'A', 'landed']);
  expect(landed.records[0]).toMatchObject({ inSilver: false, becameRow: null });
  expect(landed.records[1]).toMatchObject({ inSilver: true, lostBy: { part: 'updated_at' } });

  const batch = await process(contract, [15]);
  const waiting = await rowOf('tie');
  expect(waiting.verdict.state).toBe('pending');
  expect(waiting.records[0]?.processing).toEqual({ state: 'waiting', batchId: batch, contract: contract.hash });

  await commit(contract, batch, false);
  const committed = await rowOf('tie');
  expect(committed.verdict.state).toBe('agrees'); // though the ledger does not know of it
  expect(committed.records[0]?.processing).toMatchObject({ state: 'settled', batchId: batch, outcome: 'committed' });
});

test('of a partition that got another object since, the objects that its batch took are known', async () => {
  const more = await land(13, at(95), [{ id: 'tie', updated: at(85), mag: 4 }]);
  const row = await rowOf('tie');
  expect(row.verdict.state).toBe('pending');
  const states = new Map(row.records.map(({ object, processing }) => [object, processing.state]));
  expect(states.get(more)).toBe('landed');
  expect(states.get(latest)).toBe('settled');
});

test('refused records are told with their reason and what quarantine kept, whole objects too', async () => {
  const bad = await land(16, at(100), [
    { id: 'bad', updated: at(1), mag: 'strong' },
    { id: 'bad', updated: at(1) },
  ]);
  const text = JSON.stringify({
    type: 'FeatureCollection',
    metadata: { generated: at(101) },
    features: [feature({ id: 'bad', updated: at(99) })],
  });
  const forged = await landText(16, text, 'f'.repeat(64));
  const broken = await landText(16, '{"type":"FeatureCollection","features":[{"id":"bad"', 'e'.repeat(64));
  await commit(contract, await process(contract, [16]));
  const { rows, unreadable } = await explained('bad');
  const row = rows[0]!;
  expect(row.verdict.state).toBe('agrees');
  expect(shown(row)).toEqual([
    [`${bad}#1`, 'winner', null, 'A', 'settled'],
    [`${bad}#0`, 'refused', null, null, 'settled'],
    [`${forged}#0`, 'refused', null, null, 'settled'],
  ]);
  expect(row.records[1]).toMatchObject({
    refused: { code: 'wrong_type', detail: 'magnitude: expected a number', whole: 'record' },
    kept: [{ code: 'wrong_type', contract: contract.hash, offset: 0 }],
  });
  expect(row.records[2]).toMatchObject({
    refused: { code: 'CUP_OBJECT_CORRUPT', whole: 'object' },
    kept: [{ code: 'CUP_OBJECT_CORRUPT', offset: null }],
  });
  expect(unreadable).toMatchObject([{ object: broken, code: 'CUP_OBJECT_UNREADABLE', holdsKey: true }]);
});

test('a part of Bronze proves nothing about the rest; a key that never landed is told so', async () => {
  const morning = { from: DAY.from, to: new Date('2025-05-04T06:00:00Z') };
  expect((await rowOf('tie', contract, morning)).verdict.state).toBe('unproven');
  const never = await rowOf('never');
  expect(never).toMatchObject({ verdict: { state: 'nothing' }, silver: null, records: [] });
});

test('what other rules made is told; under higher ones it is stale until it is processed again', async () => {
  const raised = earthquakes((yaml) =>
    yaml
      .replace('maxShare: 0.01', 'maxShare: 0.9')
      .replace('property: rulesVersion, value: 1', 'property: rulesVersion, value: 2'),
  );
  const row = await rowOf('late', raised);
  expect(row.verdict.state).toBe('stale');
  expect(row.verdict.text).toContain('as rules version 1 made it; in force is 2');
  expect(row.silver).toMatchObject({ contract: contract.hash, current: false, rulesVersion: 1 });
  expect(row.records[0]?.processing).toMatchObject({ state: 'settled', contract: contract.hash });
});

test('after compaction and expiry the snapshot is told as far as it is known', async () => {
  await compact(lake, contract, { minFiles: 1 });
  await expireSnapshots(await table(), Date.now() + 3 * 3_600_000);
  const row = await rowOf('late');
  expect(row.verdict.state).toBe('agrees');
  expect(winnerOf(row)?.becameRow).toMatchObject({ since: 'before' });
});

test('what was committed and is not in Silver is a fault', async () => {
  const batch = await process(contract, [13]);
  await lake.deltas.writeDone('silver.earthquakes', {
    ...{ version: 1, batchId: batch, outcome: 'committed', snapshotId: '1', groupId: null },
    ...{ fingerprint: '', rows: 1, bytes: 1, groupBytesWritten: 1 },
  });
  const row = await rowOf('tie');
  expect(row.verdict.state).toBe('fault');
  expect(row.verdict.text).toContain('holds it and is settled, but Silver holds');
});
