import { JSONStringify } from 'json-with-bigint';
import { expect, test } from 'vitest';
import {
  EXPIRE_ABOVE,
  expireSnapshots,
  MAX_SNAPSHOTS,
  snapshotsToKeep,
} from '../../../src/lakehouse/committer/index.ts';
import { IcebergTable } from '../../../src/lakehouse/iceberg/index.ts';
import type { DataFile, Snapshot, TableMetadata } from '../../../src/lakehouse/iceberg/index.ts';
import { earthquakes } from '../../support/contracts.ts';
import { memoryCatalog, memoryStore } from '../../support/memory-lake.ts';

/** A midnight, so that minutes before it fall into hours and days as they read. */
const NOW = Date.UTC(2025, 5, 1);

const snapshotAt = (timestamp: number, id: number): Snapshot => ({
  'snapshot-id': id,
  'sequence-number': id,
  'timestamp-ms': timestamp,
  'manifest-list': `gs://b/${id}.avro`,
  summary: {},
});

test('all of the last hour stay, then one an hour for a week, then one a day for a month', () => {
  const ages = [0, 10, 59, 61, 90, 125, 3 * 60, 8 * 24 * 60, 8 * 24 * 60 + 30, 20 * 24 * 60, 40 * 24 * 60]; // minutes
  const snapshots = ages.map((minutes, index) => snapshotAt(NOW - minutes * 60_000, index)).reverse();
  const kept = snapshotsToKeep(snapshots, NOW).map((snapshot) => (NOW - snapshot['timestamp-ms']) / 60_000);
  expect(kept).toEqual([20 * 24 * 60, 8 * 24 * 60 + 30, 8 * 24 * 60, 125, 61, 59, 10, 0]);
});

test('the newest snapshot always stays, however old', () => {
  expect(snapshotsToKeep([snapshotAt(0, 1), snapshotAt(1, 2)], NOW).map((snapshot) => snapshot['snapshot-id'])).toEqual(
    [2],
  );
});

function dataFile(name: string): DataFile {
  const none = {
    column_sizes: null,
    value_counts: null,
    null_value_counts: null,
    nan_value_counts: null,
    lower_bounds: null,
  };
  const more = { upper_bounds: null, key_metadata: null, split_offsets: null, equality_ids: null, sort_order_id: null };
  const file = {
    content: 0,
    file_path: name,
    file_format: 'PARQUET',
    partition: { event_id_bucket: 1 },
    record_count: 1,
  };
  return { ...file, file_size_in_bytes: 1_000, ...none, ...more };
}

function emptyTable(): TableMetadata {
  const { icebergSchema } = earthquakes();
  return {
    'format-version': 2,
    'table-uuid': '7b1c2a52-0000-4000-8000-000000000000',
    location: 'gs://cupel-silver/silver/earthquakes',
    'last-updated-ms': 0,
    'last-column-id': 0,
    schemas: [icebergSchema],
    'current-schema-id': 0,
    'partition-specs': [
      {
        'spec-id': 0,
        fields: [{ name: 'event_id_bucket', transform: 'bucket[16]', 'source-id': 1, 'field-id': 1000 }],
      },
    ],
    'default-spec-id': 0,
  };
}

test('2,000 commits within an hour never make more snapshots or metadata than BigLake takes', async () => {
  const catalog = memoryCatalog(emptyTable());
  const table = (await IcebergTable.load(catalog, memoryStore(), 'silver', 'earthquakes')) as IcebergTable;
  let before = new Set<string>();
  let largest = 0;
  for (let index = 0; index < 2_000; index += 1) {
    const name = `gs://cupel-silver/silver/earthquakes/data/bucket-1/${index}.parquet`;
    await table.commit(
      { operation: 'overwrite', add: [dataFile(name)], remove: before, summary: { 'cupel.group-id': 'f'.repeat(64) } },
      NOW + index * 1_000,
    );
    before = new Set([name]);
    if (table.snapshots.length > EXPIRE_ABOVE) await expireSnapshots(table, NOW + index * 1_000);
    expect(table.snapshots.length).toBeLessThanOrEqual(MAX_SNAPSHOTS);
    if (index % 50 === 0) largest = Math.max(largest, JSONStringify(table.metadata).length);
  }
  expect(largest).toBeLessThan(512_000);
  expect(await table.dataFiles()).toHaveLength(1);
}, 90_000);
