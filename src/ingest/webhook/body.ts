import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import type { WebhookFeed } from '../../contracts/index.ts';
import { cupelError } from '../../errors.ts';
import { decodeUtf8 } from '../../formats/utf8.ts';

const DEFAULT_MAX_BYTES = 1 << 20;
const DEFAULT_MAX_DEPTH = 32;
const DEFAULT_MAX_KEYS = 10_000;

/** Most bytes of a body of the feed. */
export const maxBytesOf = ({ maxBytes }: Pick<WebhookFeed, 'maxBytes'>): number => maxBytes ?? DEFAULT_MAX_BYTES;

/** @throws CupelError CUP_DELIVERY_TOO_LARGE */
export function checkSize(feed: Pick<WebhookFeed, 'maxBytes'>, bytes: number): void {
  const limit = maxBytesOf(feed);
  if (bytes > limit) throw cupelError('CUP_DELIVERY_TOO_LARGE', { expected: `at most ${limit} bytes` });
}

type Decompress = (bytes: Uint8Array, options: { maxOutputLength: number }) => Buffer;

const DECODERS: Record<string, Decompress> = {
  gzip: gunzipSync,
  'x-gzip': gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
};

/**
 * Takes the content encoding off; it stops as soon as the body is too large, so a small bomb costs little.
 *
 * @throws CupelError CUP_DELIVERY_TOO_LARGE, CUP_DELIVERY_MEDIA_TYPE for an unknown encoding, CUP_DELIVERY_INVALID
 */
export function decompress(feed: Pick<WebhookFeed, 'maxBytes'>, bytes: Buffer, encoding: string | undefined): Buffer {
  if (!encoding || encoding.toLowerCase() === 'identity') return bytes;
  const decode = DECODERS[encoding.toLowerCase()];
  if (!decode)
    throw cupelError('CUP_DELIVERY_MEDIA_TYPE', { expected: `content-encoding ${Object.keys(DECODERS).join(', ')}` });
  try {
    return decode(bytes, { maxOutputLength: maxBytesOf(feed) });
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') checkSize(feed, Infinity);
    throw cupelError('CUP_DELIVERY_INVALID', { expected: `a body in ${encoding}` });
  }
}

const invalid = (expected: string): Error => cupelError('CUP_DELIVERY_INVALID', { expected });

/** Names by which a careless merge would change every object of a process. */
function isPoison(key: string, value: unknown): boolean {
  if (key === '__proto__') return true;
  return key === 'constructor' && value !== null && typeof value === 'object' && Object.hasOwn(value, 'prototype');
}

/** Looks at every object without recursion, so that depth costs no stack. */
function checkShape(document: object, maxDepth: number, maxKeys: number): void {
  const open: { value: object; depth: number }[] = [{ value: document, depth: 1 }];
  let keys = 0;
  for (let next = open.pop(); next; next = open.pop()) {
    const { value, depth } = next;
    if (depth > maxDepth) throw invalid(`at most ${maxDepth} levels`);
    const isList = Array.isArray(value);
    for (const [key, member] of Object.entries(value)) {
      if (!isList) keys += 1;
      if (keys > maxKeys) throw invalid(`at most ${maxKeys} keys`);
      if (!isList && isPoison(key, member)) throw invalid('no key that changes prototypes');
      if (member !== null && typeof member === 'object') open.push({ value: member as object, depth: depth + 1 });
    }
  }
}

/**
 * Checks that a body is a JSON object in UTF-8 of bounded depth and number of keys. Nothing of it is kept: what lands are its bytes.
 *
 * @throws CupelError CUP_DELIVERY_INVALID saying what was expected, never what was found
 */
export function checkBody(feed: Pick<WebhookFeed, 'maxDepth' | 'maxKeys'>, body: Uint8Array): void {
  let document: unknown;
  try {
    document = JSON.parse(decodeUtf8(body));
  } catch {
    throw invalid('JSON in UTF-8');
  }
  if (document === null || typeof document !== 'object' || Array.isArray(document)) throw invalid('a JSON object');
  checkShape(document, feed.maxDepth ?? DEFAULT_MAX_DEPTH, feed.maxKeys ?? DEFAULT_MAX_KEYS);
}
