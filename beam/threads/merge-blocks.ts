import { Reducer } from '../../src/contracts/index.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { encodeDelta } from '../../src/lakehouse/deltas/index.ts';
import type { Chunk, DeltaFile, DeltaStore } from '../../src/lakehouse/deltas/index.ts';
import type { ObjectStore } from '../../src/lakehouse/object-store.ts';
import { decodeBlock } from './blocks.ts';

/** Reduces the staged blocks of one bucket again and writes the bucket's delta. */
export async function mergeBlocks(
  resources: { contract: CompiledContract; store: ObjectStore; deltas: DeltaStore; chunk: Chunk },
  bucket: number,
  blocks: string[],
): Promise<DeltaFile> {
  const { contract, store, deltas, chunk } = resources;
  const reducer = new Reducer(contract);
  for (const bytes of await Promise.all(blocks.map((uri) => store.read(uri)))) {
    for (const row of decodeBlock(bytes)) reducer.add(row);
  }
  const rows = reducer.drain();
  const bytes = encodeDelta(contract, rows);
  const uri = deltas.newDeltaUri(chunk.table, chunk.batchId);
  await store.create(uri, bytes, 'application/vnd.apache.parquet');
  return { uri, bucket, rows: rows.length, bytes: bytes.length };
}
