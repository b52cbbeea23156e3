import { Reducer, systemColumns } from '../../contracts/index.ts';
import type { CompiledContract, Row } from '../../contracts/index.ts';
import { cupelError } from '../../errors.ts';
import { encodeParquet } from '../deltas/index.ts';
import type { ObjectStore } from '../object-store.ts';
import { decodeAvroRows, encodeAvroRows } from './avro-rows.ts';
import { logUri } from './log-name.ts';
import type { LogPlace } from './log-name.ts';
import { decodeParquetRows } from './parquet-rows.ts';

/** Where a log is written. */
export interface LogResources {
  store: ObjectStore;
  silverBucket: string;
}

/** What a log's object became. */
export interface MergedObject {
  /** Records that it did not hold. */
  inserted: number;
  /** Records that it held in a lesser form. */
  updated: number;
  /** 0: it held all of it, so nothing was written. */
  bytesWritten: number;
}

/** Other writers that were first before Temporal is asked to try later. */
const MAX_CONFLICTS = 5;

/** Rows of an object of a log. */
export function decodeLogRows(contract: CompiledContract, bytes: Buffer): Promise<Row[]> {
  const avro = contract.sink.kind === 'append-log' && contract.sink.format === 'avro';
  return avro ? decodeAvroRows(contract, bytes) : decodeParquetRows(contract, bytes);
}

function encodeLogRows(contract: CompiledContract, rows: Row[]): Uint8Array {
  const avro = contract.sink.kind === 'append-log' && contract.sink.format === 'avro';
  if (avro) return encodeAvroRows(contract, rows);
  return encodeParquet([...contract.columns, ...systemColumns(contract)], rows);
}

const idOf = (row: Row): string => String(row._record_id);

const sameRow = (a: Row | undefined, b: Row): boolean =>
  a !== undefined && Object.keys(b).every((column) => a[column] === b[column]);

/** All records of both, each once: the greatest by the order of the Kappa law, in order of id. */
function union(contract: CompiledContract, held: Row[], rows: Row[]): Row[] {
  const reducer = new Reducer(contract);
  for (const row of [...held, ...rows]) reducer.add({ ...row });
  return reducer.drain().sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
}

function difference(held: Row[], merged: Row[]): Pick<MergedObject, 'inserted' | 'updated'> {
  const before = new Map(held.map((row) => [idOf(row), row]));
  const updated = merged.filter((row) => before.has(idOf(row)) && !sameRow(before.get(idOf(row)), row)).length;
  return { inserted: merged.length - before.size, updated };
}

/**
 * Adds records to the one object of an hour and a bucket: read, modify, write under the generation that was read. Records that
 * it holds change nothing, so stream, batch and backfill end in the same object, however often and in whatever order they call.
 *
 * @throws CupelError CUP_COMMIT_CONFLICT when others are always first
 */
export async function mergeObject(
  { store, silverBucket }: LogResources,
  contract: CompiledContract,
  place: LogPlace,
  rows: Row[],
): Promise<MergedObject> {
  const uri = logUri(silverBucket, contract, place);
  for (let conflicts = 0; conflicts <= MAX_CONFLICTS; conflicts += 1) {
    const found = await store.readWithGeneration(uri);
    const held = found ? await decodeLogRows(contract, found.bytes) : [];
    const merged = union(contract, held, rows);
    const changes = difference(held, merged);
    if (!changes.inserted && !changes.updated) return { ...changes, bytesWritten: 0 };
    const bytes = encodeLogRows(contract, merged);
    const { outcome } = await store.replace(uri, bytes, found?.generation ?? '0');
    // Also the echo of our own write comes back as a conflict: then the next look finds nothing left to do.
    if (outcome === 'replaced') return { ...changes, bytesWritten: bytes.length };
  }
  throw cupelError('CUP_COMMIT_CONFLICT', { object: uri });
}
