import { createHash } from 'node:crypto';
import type { CompiledContract, ReasonCode } from '../../src/contracts/index.ts';
import type { ObjectStore } from '../../src/lakehouse/object-store.ts';

/** A record that the contract refuses. */
export interface RefusedRecord {
  reasonCode: ReasonCode;
  /** Names the column, never a value. */
  detail: string;
  bronzeObject: string;
  offset: number;
  /** Exactly as the carrier sent it. */
  raw: string;
}

/**
 * Keeps a refused record: raw bytes, reason and where it came from. Its name comes from where it came from, so a retry
 * writes nothing twice.
 */
export async function quarantineRecord(
  store: ObjectStore,
  bucket: string,
  contract: CompiledContract,
  batchId: string,
  record: RefusedRecord,
): Promise<void> {
  const raw = Buffer.from(record.raw, 'utf8');
  const name = createHash('sha256').update(`${record.bronzeObject}#${record.offset}\n`).update(raw).digest('hex');
  const body = {
    reasonCode: record.reasonCode,
    detail: record.detail,
    source: contract.source,
    contract: contract.hash,
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
