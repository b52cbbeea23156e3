import { createRequire } from 'node:module';

// Runners send the input of a bundle in one message, and gRPC refuses messages over 4 MB: "RESOURCE_EXHAUSTED: Received message
// larger than max". The SDK passes its clients no options, and takes the classes as it loads: they are replaced before.

const require = createRequire(import.meta.url);

type Client = new (address: string, credentials: unknown, options?: object, binaryOptions?: object) => object;

const UNLIMITED = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };
const CLIENTS = ['BeamFnControlClient', 'BeamFnDataClient', 'BeamFnStateClient', 'BeamFnLoggingClient'];

/**
 * Takes the limit off the messages between runner and worker. To be called before the SDK is loaded.
 *
 * @throws Error when the SDK is loaded already
 */
export function installMessageSize(): void {
  if (require.cache[require.resolve('apache-beam/worker/data')])
    throw new Error('apache-beam is loaded already: import beam/sdk-fixes first');
  const clients = require('apache-beam/proto/org/apache/beam/model/fn_execution/v1/beam_fn_api.grpc-client') as Record<
    string,
    Client
  >;
  for (const name of CLIENTS) {
    const Limited = clients[name];
    if (!Limited) throw new Error(`apache-beam changed: it has no ${name}`);
    clients[name] = class extends Limited {
      constructor(address: string, credentials: unknown, options: object = {}, binaryOptions: object = {}) {
        super(address, credentials, { ...UNLIMITED, ...options }, binaryOptions);
      }
    };
  }
}
