import { createHash } from 'node:crypto';
import type { CompiledContract, ReasonCode } from '../../src/contracts/index.ts';
import type { ObjectStore } from '../../src/lakehouse/object-store.ts';
import type { RecordKept } from '../../src/lakehouse/quarantine/index.ts';

/** A record that the contract refuses. */
export interface RefusedRecord {
  reasonCode: ReasonCode;
  /** Names the column, never a value. */
  detail: string;
  bronzeObject: string;
  offset: number;
  /** Exactly as the carrier sent it. */
  raw: Buffer;
}

/**
 * Keeps a refused record: raw bytes, reason and where it came from. Its name comes from where it came from, so a retry
 * writes nothing twice.
 *
 * @param batch the batch that refuses it, and the partition that the record belongs to
 */
export async function quarantineRecord(
  store: ObjectStore,
  bucket: string,
  contract: CompiledContract,
  batch: { batchId: string; partition: string },
  record: RefusedRecord,
): Promise<void> {
  const { raw } = record;
  const { batchId, partition } = batch;
  const name = createHash('sha256').update(`${record.bronzeObject}#${record.offset}\n`).update(raw).digest('hex');
  const body: RecordKept = {
    reasonCode: record.reasonCode,
    detail: record.detail,
    source: contract.source,
    contract: contract.hash,
    partition,
    bronzeObject: record.bronzeObject,
    offset: record.offset,
    rawBase64: raw.toString('base64'),
  };
  await store.create(
    `gs://${bucket}/${contract.source}/${batchId}/${name}.json`,
    JSON.stringify(body),
    'application/json',
  );
}
