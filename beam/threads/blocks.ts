import { deserialize, serialize } from 'node:v8';
import type { Row } from '../../src/contracts/index.ts';

/** Rows as a staged block: V8's own format, which keeps 64-bit integers. Written and read within one job, so by one Node. */
export function encodeBlock(rows: Row[]): Buffer {
  return serialize(rows);
}

export function decodeBlock(bytes: Uint8Array): Row[] {
  return deserialize(bytes) as Row[];
}
