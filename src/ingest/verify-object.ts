import { createHash } from 'node:crypto';
import { readEnvelope, unpackObject } from '../contracts/index.ts';
import type { CompiledContract } from '../contracts/index.ts';
import { CupelError, cupelError } from '../errors.ts';
import { parseBronzeName } from '../lakehouse/bronze/index.ts';
import type { ObjectStore } from '../lakehouse/object-store.ts';
import { deliverySha256 } from './webhook/delivery-name.ts';

/** What a look at an object found. */
export type Verified = { ok: true; records: number; bytes: number } | { ok: false; code: string; detail: string };

/** What an object's name holds: the SHA-256 of its content, of a webhook's envelope that of delivery and body. */
function sha256Of(contract: CompiledContract, bytes: Buffer): string {
  if (contract.unpack.kind !== 'webhook-envelope') return createHash('sha256').update(bytes).digest('hex');
  const { delivery_id, body_base64 } = readEnvelope(bytes, 'envelope');
  return deliverySha256(delivery_id, Buffer.from(body_base64, 'base64'));
}

/**
 * Checks that the content of an object is what its name says; a Cloud Storage subscription's names say nothing of it.
 *
 * @throws CupelError CUP_OBJECT_CORRUPT
 */
export function checkName(contract: CompiledContract, name: string, bytes: Buffer): void {
  const parsed = parseBronzeName(name);
  if (!parsed) throw cupelError('CUP_OBJECT_CORRUPT', { object: name, expected: 'a name of Bronze' });
  if (parsed.sha256 === undefined) return;
  const found = sha256Of(contract, bytes);
  if (parsed.sha256 !== found) throw cupelError('CUP_OBJECT_CORRUPT', { object: name, expected: parsed.sha256, found });
}

/**
 * Checks an object of Bronze as a whole: CRC-32C (by the client, on the way), SHA-256 against its name, and a header that the
 * contract can read. No row is parsed into columns.
 *
 * @throws CupelError CUP_OBJECT_NOT_FOUND, and errors of the storage client
 */
export async function verifyObject(
  store: ObjectStore,
  bucket: string,
  name: string,
  contract: CompiledContract,
): Promise<Verified> {
  const bytes = await store.read(`gs://${bucket}/${name}`);
  try {
    checkName(contract, name, bytes);
    const { records } = await unpackObject(contract, bytes, name);
    return { ok: true, records: records.length, bytes: bytes.length };
  } catch (error) {
    if (error instanceof CupelError) return { ok: false, code: error.code, detail: error.message };
    throw error;
  }
}
