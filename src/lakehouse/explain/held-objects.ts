import { fingerprint } from '../deltas/index.ts';
import type { ChunkObject, Manifest } from '../deltas/index.ts';

/** Listings tried as what a partition was when a batch took it. */
const MAX_TRIES = 200;

/** Of a batch and a partition: what the fingerprint is of. */
type Fingerprinted = {
  manifest: Pick<Manifest, 'contractHash' | 'rulesVersion'>;
  fingerprint: string;
};

/** Whether a batch took exactly these objects. */
export const isListing = ({ manifest, fingerprint: of }: Fingerprinted, objects: ChunkObject[]): boolean =>
  fingerprint(objects, manifest.contractHash, manifest.rulesVersion) === of;

/**
 * The objects that a batch took of a partition. Nothing is ever deleted from Bronze, so they are those that had landed by then: the
 * listing that has the batch's fingerprint proves it. Undefined: none has.
 */
export function heldBy(batch: Fingerprinted, listing: readonly ChunkObject[]): ReadonlySet<string> | undefined {
  for (let length = listing.length; length > 0 && length > listing.length - MAX_TRIES; length -= 1) {
    const objects = listing.slice(0, length);
    if (isListing(batch, objects)) return new Set(objects.map(({ name }) => name));
  }
  return undefined;
}
