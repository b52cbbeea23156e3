import { createHash } from 'node:crypto';
import { bucketOf } from '../../src/contracts/index.ts';
import type { CompiledContract, Row } from '../../src/contracts/index.ts';
import { batchId as batchIdOf, encodeDelta } from '../../src/lakehouse/deltas/index.ts';
import type { DeltaFile, DeltaStore, Manifest } from '../../src/lakehouse/deltas/index.ts';
import type { ObjectStore } from '../../src/lakehouse/object-store.ts';

/** A row of the earthquakes contract; `version` in milliseconds. */
export function quake(contract: CompiledContract, id: string, version: number, changes: Partial<Row> = {}): Row {
  const row: Row = {};
  for (const column of contract.columns) row[column.name] = null;
  const micros = BigInt(version) * 1000n;
  return {
    ...row,
    event_id: id,
    event_time: 1_700_000_000_000_000n,
    updated_at: micros,
    magnitude: 1.5,
    _first_version: micros,
    _tombstone: false,
    _carrier_order: micros + 1_000_000n,
    _rules_version: contract.rulesVersion,
    _record_hash: createHash('sha256')
      .update(
        `${id} ${version} ${JSON.stringify(changes, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}`,
      )
      .digest('hex'),
    _record_id: `object-${version}#0`,
    _bronze_object: `object-${version}`,
    _contract: contract.hash,
    ...(changes as Row),
  };
}

/**
 * Publishes rows, one per key, as a batch.
 *
 * @param more of the manifest, such as the messages of a stream
 */
export async function publishBatch(
  store: ObjectStore,
  deltas: DeltaStore,
  contract: CompiledContract,
  rows: Row[],
  more: Partial<Manifest> = {},
): Promise<Manifest> {
  const table = `${contract.sink.namespace}.${contract.sink.table}`;
  const fingerprint = createHash('sha256')
    .update(rows.map((row) => String(row._record_hash)).join())
    .digest('hex');
  const batchId = batchIdOf(table, fingerprint);
  const buckets = Map.groupBy(rows, (row) => bucketOf(String(row.event_id), contract.sink.bucketCount));
  const files: DeltaFile[] = [];
  for (const [bucket, members] of buckets) {
    const bytes = encodeDelta(contract, members);
    const uri = deltas.newDeltaUri(table, batchId);
    await store.create(uri, bytes);
    files.push({ uri, bucket, rows: members.length, bytes: bytes.length });
  }
  const manifest: Manifest = {
    version: 1,
    batchId,
    table,
    source: contract.source,
    contractHash: contract.hash,
    rulesVersion: contract.rulesVersion,
    fingerprint,
    files,
    recordsIn: rows.length,
    quarantined: 0,
    reduced: 0,
    rows: rows.length,
    quarantine: [],
    byPartition: [],
    ...more,
  };
  await deltas.writeManifest(manifest);
  return manifest;
}
