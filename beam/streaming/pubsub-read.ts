import type { PCollection, Root } from 'apache-beam';
import { beam, rawExternalTransform } from '../sdk.ts';

/** Name under which Beam's Java SDK reads Pub/Sub for other languages. */
const PUBSUB_READ = 'beam:transform:org.apache.beam:pubsub_read:v1';

/**
 * Reads a subscription for ever, by Beam's Java source: messages as PubsubMessage of protobuf, at the time of their publishing. The
 * source acknowledges what a bundle has handed on.
 *
 * @param subscription full name
 * @param expansionService `host:port`
 */
export function pubsubMessages(
  subscription: string,
  expansionService: string,
): (root: Root) => Promise<PCollection<Uint8Array>> {
  const read = rawExternalTransform<Root, PCollection<Uint8Array>>(
    PUBSUB_READ,
    { subscription, with_attributes: true },
    expansionService,
  );
  return (root) => root.applyAsync(beam.withName('readPubsub', read) as never);
}
