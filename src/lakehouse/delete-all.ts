import pLimit from 'p-limit';
import type { ObjectStore } from './object-store.ts';

/** Objects deleted at once: enough to hide the latency of one. */
const AT_ONCE = 16;

/**
 * Deletes every object whose URI begins with the prefix.
 *
 * @param keep says which stay. Default: none
 * @returns number of objects deleted
 */
export async function deleteAll(
  store: ObjectStore,
  prefix: string,
  keep: (uri: string) => boolean = () => false,
): Promise<number> {
  const uris: string[] = [];
  for await (const { uri } of store.list(prefix)) if (!keep(uri)) uris.push(uri);
  const limit = pLimit(AT_ONCE);
  await Promise.all(uris.map((uri) => limit(() => store.delete(uri))));
  return uris.length;
}
