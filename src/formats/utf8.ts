/** Made once: one for each record takes as long as all that is done with it. */
const DECODER = new TextDecoder('utf-8', { fatal: true });

/** @throws TypeError when the bytes are not UTF-8 */
export function decodeUtf8(bytes: Uint8Array): string {
  return DECODER.decode(bytes);
}
