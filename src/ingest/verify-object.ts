import { createHash } from 'node:crypto';
import { unpackObject } from '../contracts/index.ts';
import type { CompiledContract } from '../contracts/index.ts';
import { CupelError, cupelError } from '../errors.ts';
import { parseBronzeName } from '../lakehouse/bronze/index.ts';
import type { ObjectStore } from '../lakehouse/object-store.ts';

/** What a look at an object found. */
export type Verified = { ok: true; records: number; bytes: number } | { ok: false; code: string; detail: string };

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
    const expected = parseBronzeName(name)?.sha256;
    const found = createHash('sha256').update(bytes).digest('hex');
    if (expected !== found)
      throw cupelError('CUP_OBJECT_CORRUPT', { object: name, expected: expected ?? 'a name with a sha256', found });
    return { ok: true, records: unpackObject(contract, bytes, name).records.length, bytes: bytes.length };
  } catch (error) {
    if (error instanceof CupelError) return { ok: false, code: error.code, detail: error.message };
    throw error;
  }
}
