import { normaliser, rawRecord, unpackObject } from '../../src/contracts/index.ts';
import type { CompiledContract, RawRecord, Row, UnknownField } from '../../src/contracts/index.ts';
import { parseBronzeName } from '../../src/lakehouse/bronze/index.ts';
import type { ChunkObject } from '../../src/lakehouse/deltas/index.ts';
import type { RefusedRecord } from '../sinks/quarantine.ts';

/** Takes what an object holds, record by record. */
export interface RecordSink {
  row(row: Row, raw: unknown): void;
  refused(record: RefusedRecord): void;
  /** A member of a record, accepted or not, that the contract does not know. */
  unknown(field: UnknownField): void;
}

const HOUR = 3_600_000;

const hourBefore = (hour: string): string =>
  new Date(Date.parse(`${hour}:00:00Z`) - HOUR).toISOString().slice(0, 'YYYY-MM-DDTHH'.length);

/** Which records of an object belong to the partition: of an archived one that holds two hours, its part. */
function belongs({ name, part }: Pick<ChunkObject, 'name' | 'part'>): (record: RawRecord) => boolean {
  const hour = parseBronzeName(name)?.hour;
  if (part === undefined || hour === undefined) return () => true;
  const before = hourBefore(hour);
  return (record) => (record.hour === before) === (part === 'before');
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
    const { carrierOrder, records } = await unpackObject(contract, bytes, bronzeObject);
    const context = { carrierOrder, bronzeObject, ...hourOf(bronzeObject) };
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

function hourOf(bronzeObject: string): { hour?: string } {
  const hour = parseBronzeName(bronzeObject)?.hour;
  return hour === undefined ? {} : { hour };
}
