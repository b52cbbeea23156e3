import { loadProtos, serveGrpc, serviceOf, unary } from '../grpc.ts';
import type { LocalGrpcServer } from '../grpc.ts';
import { Broker } from './broker.ts';
import type { Topic, Unsent } from './broker.ts';
import type { PushConfig, SubscriptionSpec } from './messages.ts';
import { streamingPull } from './streaming-pull.ts';

/** A running Pub/Sub server. */
export interface PubsubServer extends LocalGrpcServer {
  /** host:port, for `PUBSUB_EMULATOR_HOST`. */
  endpoint: string;
  /** Messages of a subscription (full name) that wait or are out. */
  backlog(subscription: string): number;
}

interface PullRequest {
  subscription: string;
  maxMessages: number;
  returnImmediately?: boolean;
}

/** How long an empty pull is held open; Google's waits longer, but the client asks again. */
const PULL_WAIT_MS = 1_000;

interface UpdateMask {
  updateMask?: { paths?: string[] };
}

function publisherHandlers(broker: Broker) {
  return {
    createTopic: unary((topic: Topic) => broker.createTopic(topic)),
    updateTopic: unary(({ topic, updateMask }: { topic: Topic } & UpdateMask) =>
      broker.updateTopic(topic, updateMask?.paths ?? []),
    ),
    getTopic: unary(({ topic }: { topic: string }) => broker.topic(topic)),
    listTopics: unary(({ project }: { project: string }) => ({ topics: broker.topics(project) })),
    listTopicSubscriptions: unary(({ topic }: { topic: string }) => ({ subscriptions: broker.subscriptionsOf(topic) })),
    deleteTopic: unary(({ topic }: { topic: string }) => {
      broker.deleteTopic(topic);
      return {};
    }),
    publish: unary(({ topic, messages }: { topic: string; messages?: Unsent[] }) => ({
      messageIds: broker.publish(topic, messages ?? []),
    })),
  };
}

function subscriberHandlers(broker: Broker) {
  return {
    createSubscription: unary((spec: SubscriptionSpec) => broker.createSubscription(spec)),
    getSubscription: unary(({ subscription }: { subscription: string }) => broker.subscription(subscription).spec),
    updateSubscription: unary(({ subscription, updateMask }: { subscription: SubscriptionSpec } & UpdateMask) =>
      broker.updateSubscription(subscription, updateMask?.paths ?? []),
    ),
    modifyPushConfig: unary(({ subscription, pushConfig }: { subscription: string; pushConfig?: PushConfig }) => {
      const { spec } = broker.subscription(subscription);
      // An empty configuration makes it a pull subscription.
      broker.updateSubscription({ ...spec, pushConfig: pushConfig ?? {} }, ['push_config']);
      return {};
    }),
    listSubscriptions: unary(({ project }: { project: string }) => ({ subscriptions: broker.subscriptions(project) })),
    deleteSubscription: unary(({ subscription }: { subscription: string }) => {
      broker.deleteSubscription(subscription);
      return {};
    }),
    acknowledge: unary(({ subscription, ackIds }: { subscription: string; ackIds?: string[] }) => {
      const found = broker.subscription(subscription);
      for (const ackId of ackIds ?? []) found.ack(ackId);
      return {};
    }),
    modifyAckDeadline: unary((request: { subscription: string; ackIds?: string[]; ackDeadlineSeconds?: number }) => {
      const found = broker.subscription(request.subscription);
      for (const ackId of request.ackIds ?? []) found.extend(ackId, request.ackDeadlineSeconds ?? 0);
      return {};
    }),
    pull: unary(async ({ subscription, maxMessages, returnImmediately }: PullRequest) => {
      const found = broker.subscription(subscription);
      if (!returnImmediately) await found.waitForMessage(PULL_WAIT_MS);
      return { receivedMessages: found.take(maxMessages) };
    }),
    streamingPull: (call: Parameters<typeof streamingPull>[1]) => streamingPull(broker, call),
  };
}

/**
 * Starts Pub/Sub on the loopback interface: publish, pull, streaming pull, push, ordering, filters, retry and dead letters.
 *
 * @param options.identityToken makes the token of a push subscription that asks for one
 */
export async function startPubsub(
  options: { port?: number; identityToken?: (audience: string) => string } = {},
): Promise<PubsubServer> {
  const protos = loadProtos('@google-cloud/pubsub/build/protos/protos.json');
  const broker = new Broker(options.identityToken);
  const server = await serveGrpc(
    [
      { definition: serviceOf(protos, 'google.pubsub.v1.Publisher'), handlers: publisherHandlers(broker) },
      { definition: serviceOf(protos, 'google.pubsub.v1.Subscriber'), handlers: subscriberHandlers(broker) },
    ],
    options.port ?? 0,
  );
  return {
    port: server.port,
    endpoint: `127.0.0.1:${server.port}`,
    backlog: (name) => broker.subscription(name).backlog,
    async stop() {
      broker.close();
      await server.stop();
    },
  };
}
