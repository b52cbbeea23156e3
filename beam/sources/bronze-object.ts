import { normaliser, rawRecordText, unpackObject } from '../../src/contracts/index.ts';
import type { CompiledContract, Row } from '../../src/contracts/index.ts';
import type { RefusedRecord } from '../sinks/quarantine.ts';

/** Takes what an object holds, record by record. */
export interface RecordSink {
  row(row: Row, raw: unknown): void;
  refused(record: RefusedRecord): void;
}

/**
 * Makes the function that applies a contract to one object of Bronze.
 *
 * @returns a function that returns the number of records in the object and throws CUP_OBJECT_UNREADABLE
 */
export function objectReader(
  contract: CompiledContract,
): (bytes: Uint8Array, bronzeObject: string, sink: RecordSink) => number {
  const normalise = normaliser(contract);
  return (bytes, bronzeObject, sink) => {
    const { carrierOrder, records } = unpackObject(contract, bytes, bronzeObject);
    for (const record of records) {
      const result = normalise(record, { carrierOrder, bronzeObject });
      if ('row' in result) sink.row(result.row, record.value);
      else
        sink.refused({
          ...result.reject,
          bronzeObject,
          offset: record.offset,
          raw: rawRecordText(bytes, record.offset),
        });
    }
    return records.length;
  };
}
