import { beforeEach, expect, test } from 'vitest';
import type { CompiledContract, Row } from '../../../../src/contracts/index.ts';
import { mergeObject } from '../../../../src/lakehouse/append-log/index.ts';
import { DeltaStore, encodeDelta } from '../../../../src/lakehouse/deltas/index.ts';
import type { RestCatalog } from '../../../../src/lakehouse/iceberg/index.ts';
import {
  commitShadow,
  compareTables,
  dropShadow,
  listShadows,
  openShadow,
  shadowContract,
} from '../../../../src/lakehouse/parity/index.ts';
import type { ShadowResources } from '../../../../src/lakehouse/parity/index.ts';
import { bucketOf } from '../../../../src/contracts/index.ts';
import { contractOf } from '../../../support/contracts.ts';
import { MemoryObjects } from '../../../support/memory-objects.ts';

const HOUR = '2025-01-01T03';
const MICROS = BigInt(Date.parse(`${HOUR}:00:00Z`)) * 1000n;
const RUN = { workflowId: 'parity/s', runId: 'a-1' };
const URI = 'gs://ops/contracts/s/pinned.json';

let memory: MemoryObjects;
let resources: ShadowResources;

beforeEach(() => {
  memory = new MemoryObjects();
  const catalog: Pick<RestCatalog, 'loadTable' | 'dropTable'> = {
    loadTable: () => Promise.resolve(undefined),
    dropTable: () => Promise.resolve(false),
  };
  const deltas = new DeltaStore(memory.store, 'ops');
  resources = {
    store: memory.store,
    deltas,
    catalog: catalog as RestCatalog,
    silverBucket: 'silver',
    opsBucket: 'ops',
  };
});

function rowOf(contract: CompiledContract, id: string, hour = MICROS): Row {
  const row: Row = {};
  for (const { name, type } of contract.columns)
    row[name] = type === 'string' ? id : type === 'timestamptz' ? MICROS : 1;
  return {
    ...row,
    _first_version: MICROS,
    _tombstone: false,
    _carrier_order: MICROS,
    _rules_version: 1,
    _record_hash: 'ab'.repeat(32),
    _record_id: id,
    _bronze_object: 'o',
    _contract: contract.hash,
    _hour: hour,
  };
}

/** Publishes a batch of a contract's table, and not its outcome. */
async function publish(contract: CompiledContract, ids: string[]): Promise<string> {
  const table = `${contract.sink.namespace}.${contract.sink.table}`;
  const batchId = 'b'.repeat(64);
  const files = await Promise.all(
    ids.map(async (id) => {
      const uri = resources.deltas.newDeltaUri(table, batchId);
      const bytes = encodeDelta(contract, [rowOf(contract, id)]);
      await memory.create(uri, bytes);
      return { uri, bucket: bucketOf(id, contract.sink.bucketCount), rows: 1, bytes: bytes.length };
    }),
  );
  const counts = { recordsIn: ids.length, quarantined: 0, reduced: 0, rows: ids.length };
  const of = { source: contract.source, contractHash: contract.hash, rulesVersion: 1, fingerprint: 'f' };
  await memory.create(`gs://ops/chunks/${batchId}.json`, '{}');
  await resources.deltas.writeManifest({
    version: 1,
    batchId,
    table,
    files,
    ...counts,
    ...of,
    quarantine: [],
    byPartition: [],
  });
  return batchId;
}

async function fillSilver(contract: CompiledContract, rows: Row[]): Promise<void> {
  for (const row of rows) {
    const bucket = bucketOf(String(row._record_id), contract.sink.bucketCount);
    const hour = new Date(Number((row._hour as bigint) / 1000n)).toISOString().slice(0, 13);
    await mergeObject(resources, contract, { hour, bucket }, [row]);
  }
}

test.each(['felt_reports', 'github_events'])(
  'the shadow of the log %s is filled, compared and dropped, and nothing of it is left',
  async (source) => {
    const pinned = contractOf(source);
    await fillSilver(
      pinned,
      ['a', 'b', 'c'].map((id) => rowOf(pinned, id)),
    );
    const before = memory.uris;

    const shadow = await openShadow(resources, pinned, URI, RUN);
    expect(shadow).toMatchObject({ of: `silver.${pinned.sink.table}`, pinnedUri: URI, run: RUN });
    const contract = shadowContract(pinned, 'a1');
    expect(await listShadows(resources, pinned)).toEqual([shadow]);
    const batchId = await publish(contract, ['a', 'b', 'd']);
    expect(await resources.deltas.listWaiting(shadow.table)).toMatchObject([{ batchId }]);
    expect(await commitShadow(resources, contract, [batchId])).toBeNull();
    expect(await commitShadow(resources, contract, [batchId])).toBeNull();
    expect(await resources.deltas.listWaiting(shadow.table)).toEqual([]);

    const found = await compareTables(resources, { contract: pinned }, { contract });
    expect(found).toMatchObject({ keys: 4, total: 2, counts: { unknown: 1, missing: 1 } });
    const told = Object.fromEntries(found.differences.map((difference) => [difference.key, difference]));
    expect(told.c?.silver?.writtenBy).toMatchObject({ snapshotId: null, groupId: null, batchIds: [] });
    expect(told.c?.silver?.writtenBy.file).toContain(
      `gs://silver/logs/silver/${pinned.sink.table}/dt=2025-01-01/hr=03/`,
    );

    await dropShadow(resources, shadow);
    expect(memory.uris).toEqual(before);
    await dropShadow(resources, shadow);
    expect(await listShadows(resources, pinned)).toEqual([]);
  },
  120_000,
);

test('a record that landed in two hours is in a log twice, and no duplicate', { timeout: 120_000 }, async () => {
  const pinned = contractOf('felt_reports');
  await fillSilver(pinned, [rowOf(pinned, 'a'), rowOf(pinned, 'a', MICROS + 3_600_000_000n)]);
  const contract = shadowContract(pinned, 'a1');
  await fillSilver(contract, [rowOf(contract, 'a'), rowOf(contract, 'a', MICROS + 3_600_000_000n)]);
  expect(await compareTables(resources, { contract: pinned }, { contract })).toMatchObject({ keys: 1, total: 0 });
});
