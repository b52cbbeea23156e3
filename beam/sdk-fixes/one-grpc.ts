import { createRequire } from 'node:module';

// The SDK makes the credentials of a channel with its own copy of gRPC, and hands them to @protobuf-ts/grpc-transport, which has
// another: "Channel credentials must be a ChannelCredentials object". Both take the transport's, which is the newer one.

const require = createRequire(import.meta.url);

const grpcOf = (name: string): string =>
  require.resolve('@grpc/grpc-js', { paths: [require.resolve(name, { paths: [require.resolve('apache-beam')] })] });

/** Gives the SDK the copy of gRPC that its transport uses. To be called before the SDK is loaded. */
export function installOneGrpc(): void {
  const own = grpcOf('apache-beam');
  const shared = grpcOf('@protobuf-ts/grpc-transport');
  if (own === shared || require.cache[own]) return;
  require(shared);
  require.cache[own] = require.cache[shared];
}
