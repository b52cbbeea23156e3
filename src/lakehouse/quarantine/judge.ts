import pLimit from 'p-limit';
import { normaliser, unpackObject } from '../../contracts/index.ts';
import type { CompiledContract } from '../../contracts/index.ts';
import { CupelError } from '../../errors.ts';
import { judgeFile } from '../../ingest/land-file.ts';
import { verifyObject } from '../../ingest/verify-object.ts';
import { parseBronzeName } from '../bronze/index.ts';
import type { ObjectStore } from '../object-store.ts';
import type { QuarantineEntry } from './types.ts';

/** Objects opened at once. */
const AT_ONCE = 4;

/** What judging works with. */
export interface JudgeResources {
  store: ObjectStore;
  bronzeBucket: string;
  /** Called now and then, to show that work goes on. */
  progress(objects: number): void;
}

/** Bytes of a refused file: they lie beside its note. */
export const fileBytesUri = (entry: QuarantineEntry): string =>
  (entry.copies[0]?.uri ?? '').replace(/\.json$/, `.file.${entry.file?.extension ?? ''}`);

/** Which records of an object the contract refuses: the rules of the job, over the same bytes. */
async function refusedOffsets(
  contract: CompiledContract,
  bytes: Uint8Array,
  bronzeObject: string,
): Promise<Set<number>> {
  const { carrierOrder, records } = await unpackObject(contract, bytes, bronzeObject);
  const normalise = normaliser(contract);
  const hour = parseBronzeName(bronzeObject)?.hour;
  const context = { carrierOrder, bronzeObject, ...(hour === undefined ? {} : { hour }) };
  const refused = records.filter((record) => 'reject' in normalise(record, context));
  return new Set(refused.map(({ offset }) => offset));
}

/** The accepted ones of the records of one object; none of an object that is gone or that the contract cannot open. */
async function judgeRecords(
  { store, bronzeBucket }: JudgeResources,
  contract: CompiledContract,
  bronzeObject: string,
  entries: QuarantineEntry[],
): Promise<QuarantineEntry[]> {
  try {
    const bytes = await store.readIfExists(`gs://${bronzeBucket}/${bronzeObject}`);
    if (!bytes) return [];
    const refused = await refusedOffsets(contract, bytes, bronzeObject);
    return entries.filter(({ record }) => record && !refused.has(record.offset));
  } catch (error) {
    if (!(error instanceof CupelError) || error.retryable) throw error;
    return [];
  }
}

async function judgeWhole(
  { store, bronzeBucket }: JudgeResources,
  contract: CompiledContract,
  entry: QuarantineEntry,
): Promise<QuarantineEntry[]> {
  if (entry.object) return (await verifyObject(store, bronzeBucket, entry.object, contract)).ok ? [entry] : [];
  const judged = await judgeFile(contract, await store.read(fileBytesUri(entry)), entry.file?.file.name ?? '');
  return 'description' in judged ? [entry] : [];
}

/**
 * The entries that a contract accepts. A record is judged where it lies in Bronze, with everything that carried it: its raw bytes
 * alone lack headers, attributes and the names of a CSV file's columns. Each object is read once.
 */
export async function acceptedEntries(
  resources: JudgeResources,
  contract: CompiledContract,
  entries: QuarantineEntry[],
): Promise<Set<QuarantineEntry>> {
  const limit = pLimit(AT_ONCE);
  const accepted = new Set<QuarantineEntry>();
  let objects = 0;
  const judging = (judge: () => Promise<QuarantineEntry[]>): Promise<void> =>
    limit(async () => {
      (await judge()).forEach((entry) => accepted.add(entry));
      objects += 1;
      resources.progress(objects);
    });
  const records = entries.filter(({ record }) => record);
  const byObject = [...Map.groupBy(records, ({ record }) => record?.bronzeObject ?? '')];
  await Promise.all([
    ...byObject.map(([object, of]) => judging(() => judgeRecords(resources, contract, object, of))),
    ...entries.filter(({ record }) => !record).map((of) => judging(() => judgeWhole(resources, contract, of))),
  ]);
  return accepted;
}
