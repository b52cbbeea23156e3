import type { ObjectStore } from '../../src/lakehouse/object-store.ts';

/**
 * Bytes up to which a block goes through the runner: to write, to read and to delete an object takes longer than to carry so little. Above
 * it only a reference does, since a runner is made for many small elements.
 */
const CARRIED_BYTES = 64 << 10;

/** What URIs of objects begin with. Base64 knows no colon, so no carried block does. */
const STAGED = 'gs://';

/** Keeps a block, and tells by what text it is found again: itself where it is small, else where it was staged. */
export async function keepBlock(store: ObjectStore, uri: string, block: Uint8Array): Promise<string> {
  if (block.length <= CARRIED_BYTES) return Buffer.from(block).toString('base64');
  await store.create(uri, block);
  return uri;
}

/** @throws CupelError CUP_OBJECT_NOT_FOUND for a staged block that is gone */
export async function openBlock(store: ObjectStore, text: string): Promise<Uint8Array> {
  return text.startsWith(STAGED) ? store.read(text) : Buffer.from(text, 'base64');
}
