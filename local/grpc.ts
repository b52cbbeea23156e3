import { createRequire } from 'node:module';
import grpc from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';

/** A gRPC error as a handler throws it; the client sees the code and the text. */
export class GrpcError extends Error {
  readonly code: grpc.status;
  readonly details: string;
  /** Trailers, such as `grpc-status-details-bin`. */
  readonly metadata: grpc.Metadata | undefined;

  constructor(code: grpc.status, details: string, metadata?: grpc.Metadata) {
    super(details);
    this.code = code;
    this.details = details;
    this.metadata = metadata;
  }
}

type Package = ReturnType<typeof grpc.loadPackageDefinition>;

/** Loads the protos that a Google client ships (`build/protos/protos.json`): no copies, no code generation. */
export function loadProtos(protosJson: string): Package {
  const json = createRequire(import.meta.url)(protosJson) as Parameters<typeof fromJSON>[0];
  // Protos of clients are camelCase already; 64-bit integers travel as decimal strings.
  return grpc.loadPackageDefinition(fromJSON(json, { longs: String, enums: String, defaults: false, oneofs: true }));
}

/** The service definition at a dotted name, such as `google.pubsub.v1.Publisher`. */
export function serviceOf(loaded: Package, name: string): grpc.ServiceDefinition {
  let at: unknown = loaded;
  for (const part of name.split('.')) at = (at as Record<string, unknown>)[part];
  return (at as { service: grpc.ServiceDefinition }).service;
}

/** Wraps a handler of one request: what it throws becomes the gRPC status, INTERNAL where it has none. */
export function unary<Request, Response>(
  handle: (request: Request) => Response | Promise<Response>,
): grpc.handleUnaryCall<Request, Response> {
  return (call, callback) => {
    Promise.resolve()
      .then(() => handle(call.request))
      .then(
        (response) => callback(null, response),
        (error: unknown) => {
          if (error instanceof GrpcError) callback(error as grpc.ServerErrorResponse);
          else callback({ code: grpc.status.INTERNAL, details: String((error as Error).stack) });
        },
      );
  };
}

/** A gRPC server on the loopback interface. */
export interface LocalGrpcServer {
  port: number;
  stop(): Promise<void>;
}

/** Serves the services in plain text on a loopback port (0: a free one). */
export async function serveGrpc(
  services: { definition: grpc.ServiceDefinition; handlers: grpc.UntypedServiceImplementation }[],
  port: number,
): Promise<LocalGrpcServer> {
  const server = new grpc.Server({
    'grpc.max_receive_message_length': 64 << 20,
    'grpc.max_send_message_length': 64 << 20,
  });
  for (const { definition, handlers } of services) server.addService(definition, handlers);
  const bound = await new Promise<number>((resolve, reject) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error, actual) => (error ? reject(error) : resolve(actual)));
  });
  // Streams may be open for ever, so it does not wait for them.
  return { port: bound, stop: () => Promise.resolve(server.forceShutdown()) };
}

/** Now, as protobuf writes it. */
export function timestamp(ms = Date.now()): { seconds: string; nanos: number } {
  return { seconds: String(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 };
}
