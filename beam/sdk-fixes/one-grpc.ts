import { createRequire } from 'node:module';

// The SDK's old Pub/Sub client brings a gRPC of its own (1.6), which the SDK then uses, while the transport of its job client takes the
// project's: "Channel credentials must be a ChannelCredentials object". One copy has to serve both.

const require = createRequire(import.meta.url);
const GRPC = '@grpc/grpc-js';

/**
 * Gives the SDK the project's gRPC. To be called before the SDK is loaded.
 *
 * @throws Error when the SDK has loaded its own already
 */
export function installOneGrpc(): void {
  const ours = require.resolve(GRPC);
  const its = require.resolve(GRPC, { paths: [require.resolve('apache-beam')] });
  if (its === ours) return;
  if (require.cache[its]) throw new Error('apache-beam is loaded already: import beam/sdk-fixes first');
  require(ours);
  require.cache[its] = require.cache[ours];
}
