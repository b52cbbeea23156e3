import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROJECT, toolPath } from '../../scripts/tools.ts';
import { bucketOf } from '../../src/contracts/index.ts';
import type { CompiledContract, Row } from '../../src/contracts/index.ts';
import { readLog } from '../../src/lakehouse/append-log/index.ts';
import { commitWaiting, exportTable } from '../../src/lakehouse/committer/index.ts';
import { batchId as batchIdOf, encodeDelta } from '../../src/lakehouse/deltas/index.ts';
import type { DeltaFile } from '../../src/lakehouse/deltas/index.ts';
import { contractOf } from '../support/contracts.ts';
import { startLake } from '../support/lake.ts';
import type { Lake } from '../support/lake.ts';

const run = promisify(execFile);
const parquet = contractOf('github_events');
const avro = contractOf('felt_reports');
const HOUR = 3_600_000_000n;
const START = BigInt(Date.parse('2025-05-04T22:00:00Z')) * 1000n;

let lake: Lake;

beforeAll(async () => {
  lake = await startLake();
});
afterAll(() => lake.stop());

/** A row of a log whose text columns are its id, or null where they may be. */
function rowOf(contract: CompiledContract, id: number): Row {
  const row: Row = {};
  for (const { name, type, required } of contract.columns) {
    if (!required && id % 2) row[name] = null;
    else row[name] = type === 'timestamptz' ? START + BigInt(id) : type === 'string' ? `${id} ü` : id;
  }
  return {
    ...row,
    _first_version: 1n,
    _tombstone: false,
    _carrier_order: START,
    _rules_version: 1,
    _record_hash: String(id).padStart(64, '0'),
    _record_id: `record-${String(id).padStart(3, '0')}`,
    _bronze_object: 'o',
    _contract: contract.hash,
    _hour: START + HOUR * BigInt(id % 3),
  };
}

async function publish(contract: CompiledContract, ids: number[]): Promise<string> {
  const { store, deltas } = lake;
  const table = `${contract.sink.namespace}.${contract.sink.table}`;
  const fingerprint = ids.join();
  const batchId = batchIdOf(table, fingerprint);
  const rows = ids.map((id) => rowOf(contract, id));
  const files: DeltaFile[] = [];
  for (const [bucket, of] of Map.groupBy(rows, (row) => bucketOf(String(row._record_id), contract.sink.bucketCount))) {
    const uri = deltas.newDeltaUri(table, batchId);
    const bytes = encodeDelta(contract, of);
    await store.create(uri, bytes);
    files.push({ uri, bucket, rows: of.length, bytes: bytes.length });
  }
  const counts = { recordsIn: rows.length, quarantined: 0, reduced: 0, rows: rows.length };
  const { source, hash: contractHash, rulesVersion } = contract;
  const of = { source, contractHash, rulesVersion, fingerprint, quarantine: [], byPartition: [] };
  await deltas.writeManifest({ version: 1, batchId, table, files, ...counts, ...of });
  return batchId;
}

const idsFrom = (first: number, count: number): number[] => Array.from({ length: count }, (_, index) => first + index);

async function logOf(contract: CompiledContract): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const hour of readLog(lake, contract)) rows.push(...hour);
  return rows.sort((a, b) => (String(a._record_id) < String(b._record_id) ? -1 : 1));
}

test.each([
  ['Parquet', parquet],
  ['Avro', avro],
])('%s: overlapping batches, committed side by side and again, are each record once', async (_name, contract) => {
  const batches = [await publish(contract, idsFrom(0, 60)), await publish(contract, idsFrom(40, 60))];
  const outcomes = await Promise.all(batches.map((batch) => commitWaiting(lake, contract, [batch])));
  expect(outcomes.flat().map(({ outcome }) => outcome)).toEqual(['committed', 'committed']);
  expect(await commitWaiting(lake, contract, batches)).toEqual(outcomes.flat());
  expect(await logOf(contract)).toEqual(idsFrom(0, 100).map((id) => rowOf(contract, id)));
});

test('a batch that adds nothing changes nothing', async () => {
  const [done] = await commitWaiting(lake, parquet, [await publish(parquet, idsFrom(10, 5))]);
  expect(done).toMatchObject({ outcome: 'unchanged', snapshotId: null, groupBytesWritten: 0 });
});

test('pyarrow reads the Parquet log by its folder, hours as Hive partitions', async () => {
  const folder = path.join(lake.storageRoot, 'cupel-silver/logs/silver/github_events_log');
  const { stdout } = await run(toolPath('pyicebergPython'), [path.join(PROJECT, 'test/python/read_log.py'), folder]);
  const rows = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(rows.map((row) => row._record_id)).toEqual(idsFrom(0, 100).map((id) => rowOf(parquet, id)._record_id));
  expect(rows[4]).toMatchObject({
    delivery_id: '4 ü',
    action: '4 ü',
    repository_id: 4,
    received_at: '2025-05-04 22:00:00.000004+00:00',
    _hour: '2025-05-04 23:00:00+00:00',
    _record_hash: '4'.padStart(64, '0'),
    dt: '2025-05-04',
    hr: 23,
  });
  expect(rows[5]).toMatchObject({ action: null, repository_id: null, dt: '2025-05-05', hr: 0 });
});

test('its export is by hour, then record id', async () => {
  let text = '';
  for await (const part of exportTable(lake, parquet)) text += part;
  const ids = text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { _record_id: string })._record_id);
  const byHour = [0, 1, 2].flatMap((hour) => idsFrom(0, 100).filter((id) => id % 3 === hour));
  expect(ids).toEqual(byHour.map((id) => rowOf(parquet, id)._record_id));
});
