import { Reducer } from '../../src/contracts/index.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { encodeDelta } from '../../src/lakehouse/deltas/index.ts';
import type { DeltaStore } from '../../src/lakehouse/deltas/index.ts';
import type { ObjectStore } from '../../src/lakehouse/object-store.ts';
import { decodeBlock } from './blocks.ts';
import { countsOf, noCounts, partitionOfRow } from './counts.ts';
import { openBlock } from './kept-block.ts';
import type { Answers, BatchReference } from './messages.ts';

/** Reduces the blocks of one bucket again and writes the bucket's delta. */
export async function mergeBlocks(
  resources: { contract: CompiledContract; store: ObjectStore; deltas: DeltaStore },
  { batch, bucket, blocks }: { batch: BatchReference; bucket: number; blocks: string[] },
): Promise<Answers['merge']> {
  const { contract, store, deltas } = resources;
  const counts = noCounts();
  const reducer = new Reducer(contract, (row) => (countsOf(counts, partitionOfRow(row)).reduced += 1));
  for (const bytes of await Promise.all(blocks.map((block) => openBlock(store, block)))) {
    for (const row of decodeBlock(bytes)) reducer.add(row);
  }
  const rows = reducer.drain();
  for (const row of rows) countsOf(counts, partitionOfRow(row)).rows += 1;
  const bytes = encodeDelta(contract, rows);
  const uri = deltas.newDeltaUri(batch.table, batch.batchId);
  await store.create(uri, bytes, 'application/vnd.apache.parquet');
  return { file: { uri, bucket, rows: rows.length, bytes: bytes.length }, counts };
}
