const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;

function mixBlock(block: number): number {
  const k = Math.imul(block, C1);
  return Math.imul((k << 15) | (k >>> 17), C2);
}

function finish(hash: number, length: number): number {
  let h = hash ^ length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** MurmurHash3 x86 32 with seed 0, as the Iceberg spec (appendix B) asks for. Returns a signed 32-bit integer. */
export function murmur3(bytes: Uint8Array): number {
  let h = 0;
  const whole = bytes.length & ~3;
  const at = (index: number) => bytes[index] ?? 0;
  for (let i = 0; i < whole; i += 4) {
    h ^= mixBlock(at(i) | (at(i + 1) << 8) | (at(i + 2) << 16) | (at(i + 3) << 24));
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
  }
  const rest = bytes.length & 3;
  if (rest) {
    const tail = at(whole) | (rest > 1 ? at(whole + 1) << 8 : 0) | (rest > 2 ? at(whole + 2) << 16 : 0);
    h ^= mixBlock(tail);
  }
  return finish(h, bytes.length) | 0;
}

/** Iceberg's `bucket(count, key)` of a string: (murmur3(UTF-8) & 2^31-1) mod count. */
export function bucketOf(key: string, count: number): number {
  return (murmur3(Buffer.from(key, 'utf8')) & 0x7fffffff) % count;
}
