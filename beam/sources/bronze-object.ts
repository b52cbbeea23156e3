import { normaliser, rawRecord } from '../../src/contracts/index.ts';
import type { CompiledContract, Row, UnknownField } from '../../src/contracts/index.ts';
import { belongs, openObject } from '../../src/lakehouse/bronze/index.ts';
import type { ChunkObject } from '../../src/lakehouse/deltas/index.ts';
import type { RefusedRecord } from '../sinks/quarantine.ts';

/** Takes what an object holds, record by record. */
export interface RecordSink {
  row(row: Row, raw: unknown): void;
  refused(record: RefusedRecord): void;
  /** A member of a record, accepted or not, that the contract does not know. */
  unknown(field: UnknownField): void;
}

/**
 * Makes the function that applies a contract to one object of Bronze.
 *
 * @returns a function that returns the number of records of the object's partition and throws CUP_OBJECT_UNREADABLE
 */
export function objectReader(
  contract: CompiledContract,
): (bytes: Uint8Array, object: Pick<ChunkObject, 'name' | 'part'>, sink: RecordSink) => Promise<number> {
  const normalise = normaliser(contract);
  return async (bytes, object, sink) => {
    const { name: bronzeObject } = object;
    const { records, context } = await openObject(contract, bytes, bronzeObject);
    const mine = records.filter(belongs(object));
    for (const record of mine) {
      const result = normalise(record, context);
      result.unknown?.forEach(sink.unknown);
      if ('row' in result) sink.row(result.row, record.value);
      else {
        const raw = await rawRecord(contract, bytes, record.offset);
        sink.refused({ ...result.reject, bronzeObject, offset: record.offset, raw });
      }
    }
    return mine.length;
  };
}
