import { createHash } from 'node:crypto';
import type { ChunkObject } from './types.ts';

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** What a partition or chunk was made of: sha256 of the sorted listing, the contract and the version of its rules. */
export function fingerprint(
  objects: Pick<ChunkObject, 'name' | 'generation' | 'part'>[],
  contractHash: string,
  rulesVersion: number,
): string {
  const listing = objects.map(({ name, generation, part }) => [name, generation, ...(part ? [part] : [])]);
  const textOf = (entry: string[]): string => entry.join('\n');
  listing.sort((a, b) => (textOf(a) < textOf(b) ? -1 : textOf(a) > textOf(b) ? 1 : 0));
  return sha256(JSON.stringify([listing, contractHash, rulesVersion]));
}

/**
 * A batch is named by what it holds, so the same chunk is the same batch in every run.
 *
 * @param again names a run that processes anew what is done already. Default: what is done stays done
 */
export function batchId(table: string, chunkFingerprint: string, again = ''): string {
  return sha256(again ? `${table}\n${chunkFingerprint}\n${again}` : `${table}\n${chunkFingerprint}`);
}

/** A group is named by its batches. */
export function groupId(batchIds: string[]): string {
  return sha256(JSON.stringify([...batchIds].sort()));
}
