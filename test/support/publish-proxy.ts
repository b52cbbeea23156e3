import { PubSub } from '@google-cloud/pubsub';
import type { protos, v1 } from '@google-cloud/pubsub';
import { status } from '@grpc/grpc-js';
import { GrpcError, loadProtos, serveGrpc, serviceOf, unary } from '../../local/grpc.ts';

/** A door before Pub/Sub's publishing that spoils requests on demand. */
export interface PublishProxy {
  /** Google's client, through the door. */
  pubsub: PubSub;
  /** Requests that reached Pub/Sub. */
  publishes: number;
  /** `lose-answer`: Pub/Sub takes the next request, and whoever sent it never learns so. `refuse`: it never gets there. */
  spoilNext(fault: 'lose-answer' | 'refuse'): void;
  stop(): Promise<void>;
}

/** Starts a door that leads to the server of a publisher. */
export async function startPublishProxy(publisher: v1.PublisherClient, projectId: string): Promise<PublishProxy> {
  let fault: 'lose-answer' | 'refuse' | undefined;
  const protos = loadProtos('@google-cloud/pubsub/build/protos/protos.json');
  const publish = unary(async (request: protos.google.pubsub.v1.IPublishRequest) => {
    const now = fault;
    fault = undefined;
    if (now === 'refuse') throw new GrpcError(status.UNAVAILABLE, 'not now');
    const [answer] = await publisher.publish(request);
    proxy.publishes += 1;
    if (now === 'lose-answer') throw new GrpcError(status.UNAVAILABLE, 'the answer was lost');
    return answer;
  });
  const server = await serveGrpc(
    [{ definition: serviceOf(protos, 'google.pubsub.v1.Publisher'), handlers: { publish } }],
    0,
  );
  const proxy: PublishProxy = {
    pubsub: new PubSub({ projectId, apiEndpoint: `127.0.0.1:${server.port}`, emulatorMode: true }),
    publishes: 0,
    spoilNext: (next) => (fault = next),
    async stop() {
      await proxy.pubsub.close();
      await server.stop();
    },
  };
  return proxy;
}
