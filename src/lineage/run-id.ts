import { createHash } from 'node:crypto';

/** Namespace of our names, a UUID made once (RFC 9562, section 6.6). */
const NAMESPACE = Buffer.from('5b7f0c0e6d5d4c53a0f1c1a6e0b9a7d4', 'hex');

/** UUID of version 5 of a run: the same logical step has the same id, however often it is tried. */
export function runIdOf(...step: string[]): string {
  const name = JSON.stringify(step);
  const bytes = createHash('sha1').update(NAMESPACE).update(name).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
