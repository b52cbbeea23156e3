import { createRequire } from 'node:module';

// For one message type of two transforms the SDK loads a whole Pub/Sub client at each start, an old one with its own copy of half of
// Google's libraries: a quarter of the CPU that loading the SDK takes. It is loaded when that type is first asked for.

const require = createRequire(import.meta.url);

/** Puts the SDK's Pub/Sub client off until it is used. To be called before the SDK is loaded. */
export function installLazyPubsub(): void {
  const sdk = createRequire(require.resolve('apache-beam'));
  const file = sdk.resolve('@google-cloud/pubsub');
  if (require.cache[file]) return; // somebody uses it already
  // The SDK goes through all that can be enumerated of it, to know what is not to be serialized.
  const lazy = Object.defineProperty({ __esModule: true }, 'protos', {
    get(): unknown {
      delete require.cache[file];
      return (sdk(file) as { protos: unknown }).protos;
    },
  });
  const Module = require('node:module') as new (id: string) => NodeJS.Module;
  const module = new Module(file);
  Object.assign(module, { exports: lazy, loaded: true, filename: file });
  require.cache[file] = module;
}
