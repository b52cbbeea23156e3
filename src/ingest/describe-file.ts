import { createHash } from 'node:crypto';
import { normaliser, unpackObject } from '../contracts/index.ts';
import type { CompiledContract, ReasonCode } from '../contracts/index.ts';
import { formatTimestamp } from '../lakehouse/format.ts';

/** What there is to know of a file without looking into its values. */
export interface FileDescription {
  records: number;
  /** Records that the contract refuses. */
  refused: number;
  /** Of these, by reason. */
  reasons: Partial<Record<ReasonCode, number>>;
  /** Number from 0 of the first of them, and what was expected; null where there is none. */
  firstRefused: { offset: number; detail: string } | null;
  bytes: number;
  /** SHA-256, hex, of the sorted names of the records' members: changes with the file's columns. */
  schemaFingerprint: string;
  /** Those names. */
  fields: string[];
  /** Least and greatest event time, RFC 3339; null where no record has one. */
  minEventTime: string | null;
  maxEventTime: string | null;
}

/** Column that tells when something happened: the one that the contract names, else the version. */
const eventTimeColumn = (contract: CompiledContract): string => contract.eventTime ?? contract.versionField;

/**
 * Reads a file by its contract, for the ledger.
 *
 * @throws CupelError CUP_OBJECT_UNREADABLE
 */
export async function describeFile(
  contract: CompiledContract,
  bytes: Uint8Array,
  bronzeObject: string,
): Promise<FileDescription> {
  const { carrierOrder, records } = await unpackObject(contract, bytes, bronzeObject);
  const normalise = normaliser(contract);
  // Rows are looked at and thrown away, so any hour will do.
  const context = { carrierOrder, bronzeObject, hour: '1970-01-01T00' };
  const column = eventTimeColumn(contract);
  const fields = new Set<string>();
  const times: bigint[] = [];
  const reasons: FileDescription['reasons'] = {};
  let firstRefused: FileDescription['firstRefused'] = null;
  let refused = 0;
  for (const record of records) {
    for (const name of Object.keys(record.value ?? {})) fields.add(name);
    const result = normalise(record, context);
    if ('reject' in result) {
      const { reasonCode, detail } = result.reject;
      refused += 1;
      reasons[reasonCode] = (reasons[reasonCode] ?? 0) + 1;
      firstRefused ??= { offset: record.offset, detail };
    } else if (typeof result.row[column] === 'bigint') times.push(result.row[column]);
  }
  const names = [...fields].sort();
  const least = times.reduce<bigint | null>((a, b) => (a === null || b < a ? b : a), null);
  const greatest = times.reduce<bigint | null>((a, b) => (a === null || b > a ? b : a), null);
  return {
    records: records.length,
    refused,
    reasons,
    firstRefused,
    bytes: bytes.length,
    schemaFingerprint: createHash('sha256').update(JSON.stringify(names)).digest('hex'),
    fields: names,
    minEventTime: least === null ? null : formatTimestamp(least),
    maxEventTime: greatest === null ? null : formatTimestamp(greatest),
  };
}
