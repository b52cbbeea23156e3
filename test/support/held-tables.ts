import { writeFile } from 'node:fs/promises';
import { bucketOf } from '../../src/contracts/index.ts';
import type { CompiledContract, Row } from '../../src/contracts/index.ts';
import { encodeDelta } from '../../src/lakehouse/deltas/index.ts';
import type { HeldFile, HeldTable } from '../../src/lakehouse/parity/read-table.ts';

/** A table in memory: a file per bucket, written by a snapshot of one group. */
export function heldTable(contract: CompiledContract, rows: readonly Row[]): HeldTable {
  const key = contract.key[0] ?? '';
  const buckets = Map.groupBy(rows, (row) => bucketOf(String(row[key]), contract.sink.bucketCount));
  const contents = new Map<HeldFile, Uint8Array>();
  for (const [bucket, members] of buckets) {
    const writtenBy = {
      file: `gs://silver/${bucket}.parquet`,
      snapshotId: '7',
      at: '2025-01-01T00:00:00.000Z',
      groupId: 'g',
    };
    contents.set({ bucket, writtenBy }, encodeDelta(contract, members));
  }
  return {
    files: [...contents.keys()],
    download: (scratch, files) =>
      Promise.all(
        files.map(async (file) => {
          const path = scratch.path('parquet');
          await writeFile(path, contents.get(file) ?? '');
          return path;
        }),
      ),
    batchesOf: () => Promise.resolve(['b1', 'b2']),
  };
}
