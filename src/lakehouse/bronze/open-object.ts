import { unpackObject } from '../../contracts/index.ts';
import type { CompiledContract, RawRecord, RecordContext } from '../../contracts/index.ts';
import type { ChunkObject } from '../deltas/index.ts';
import { parseBronzeName } from './bronze-name.ts';

const HOUR = 3_600_000;

const hourBefore = (hour: string): string =>
  new Date(Date.parse(`${hour}:00:00Z`) - HOUR).toISOString().slice(0, 'YYYY-MM-DDTHH'.length);

/** Which records of an object belong to the partition: of an archived one that holds two hours, its part. */
export function belongs({ name, part }: Pick<ChunkObject, 'name' | 'part'>): (record: RawRecord) => boolean {
  const hour = parseBronzeName(name)?.hour;
  if (part === undefined || hour === undefined) return () => true;
  const before = hourBefore(hour);
  return (record) => (record.hour === before) === (part === 'before');
}

/**
 * Opens an object of Bronze: its records, and what they get from it.
 *
 * @throws CupelError CUP_OBJECT_UNREADABLE
 */
export async function openObject(
  contract: CompiledContract,
  bytes: Uint8Array,
  bronzeObject: string,
): Promise<{ records: RawRecord[]; context: RecordContext }> {
  const { carrierOrder, records } = await unpackObject(contract, bytes, bronzeObject);
  const hour = parseBronzeName(bronzeObject)?.hour;
  return { records, context: { carrierOrder, bronzeObject, ...(hour === undefined ? {} : { hour }) } };
}
