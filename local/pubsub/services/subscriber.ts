import { unary } from '../../grpc.ts';
import type { Broker } from '../broker.ts';
import type { Deliveries } from '../deliveries.ts';
import type { Timestamp } from '../messages.ts';
import type { PushConfig, Snapshot, SubscriptionSpec } from '../resources.ts';
import type { Snapshots } from '../snapshots.ts';
import type { Subscription } from '../subscription/subscription.ts';
import { checkAckDeadline, invalid } from '../validate.ts';
import { InvalidAckIds } from './ack-errors.ts';
import { page } from './page.ts';
import type { PageRequest } from './page.ts';
import { pullable } from './pullable.ts';
import { streamingPull } from './streaming-pull.ts';

interface PullRequest {
  subscription: string;
  maxMessages?: number;
  returnImmediately?: boolean;
}

interface AckRequest {
  subscription: string;
  ackIds?: string[];
}

interface SeekRequest {
  subscription: string;
  time?: Timestamp;
  snapshot?: string;
}

interface OfProject extends PageRequest {
  project: string;
}

interface UpdateMask {
  updateMask?: { paths?: string[] };
}

/** How long an empty pull is held open; Google's waits longer, but the client asks again. */
const PULL_WAIT_MS = 1_000;

/** An exactly-once subscription tells which acknowledgements came too late; any other lets them pass. */
function confirm({ spec }: Subscription, invalidIds: string[]): object {
  if (spec.enableExactlyOnceDelivery && invalidIds.length) throw new InvalidAckIds(invalidIds);
  return {};
}

function subscriptionCalls(broker: Broker, deliveries: Deliveries) {
  return {
    async createSubscription(spec: SubscriptionSpec) {
      const { name } = broker.createSubscription(spec);
      await deliveries.look(name);
      return broker.shown(name);
    },
    async getSubscription({ subscription }: { subscription: string }) {
      await deliveries.look(subscription);
      return broker.shown(subscription);
    },
    updateSubscription: ({ subscription, updateMask }: { subscription: SubscriptionSpec } & UpdateMask) =>
      broker.updateSubscription(subscription, updateMask?.paths ?? []),
    modifyPushConfig({ subscription, pushConfig }: { subscription: string; pushConfig?: PushConfig }) {
      const { spec } = broker.subscription(subscription);
      // An empty configuration makes it a pull subscription.
      broker.updateSubscription({ ...spec, pushConfig: pushConfig ?? {} }, ['push_config']);
      return {};
    },
    listSubscriptions(request: OfProject) {
      const { items, nextPageToken } = page(broker.subscriptions(request.project), request);
      return { subscriptions: items, nextPageToken };
    },
    deleteSubscription({ subscription }: { subscription: string }) {
      broker.deleteSubscription(subscription);
      return {};
    },
    seek({ subscription, time, snapshot }: SeekRequest) {
      if (!time && !snapshot) throw invalid('A seek needs a time or a snapshot.');
      broker.seek(subscription, time ? { time } : { snapshot: snapshot ?? '' });
      return {};
    },
  };
}

function messageCalls(broker: Broker) {
  return {
    acknowledge({ subscription, ackIds = [] }: AckRequest) {
      if (!ackIds.length) throw invalid('The request has no ack_ids.');
      const found = broker.subscription(subscription);
      return confirm(found, found.ack(ackIds));
    },
    modifyAckDeadline({
      subscription,
      ackIds = [],
      ackDeadlineSeconds = 0,
    }: AckRequest & { ackDeadlineSeconds?: number }) {
      checkAckDeadline(ackDeadlineSeconds);
      const found = broker.subscription(subscription);
      return confirm(found, found.extend(ackIds, ackDeadlineSeconds));
    },
    async pull({ subscription, maxMessages = 0, returnImmediately }: PullRequest) {
      if (maxMessages < 1) throw invalid('max_messages must be 1 or more.');
      const found = pullable(broker.subscription(subscription));
      if (!returnImmediately) await found.waitForMessage(PULL_WAIT_MS);
      return { receivedMessages: found.take(maxMessages) };
    },
  };
}

function snapshotCalls(snapshots: Snapshots) {
  return {
    createSnapshot: ({
      name,
      subscription,
      labels,
    }: { name: string; subscription: string } & Pick<Snapshot, 'labels'>) =>
      snapshots.create(name, subscription, labels),
    getSnapshot: ({ snapshot }: { snapshot: string }) => snapshots.get(snapshot),
    listSnapshots(request: OfProject) {
      const { items, nextPageToken } = page(snapshots.list(request.project), request);
      return { snapshots: items, nextPageToken };
    },
    updateSnapshot: ({ snapshot, updateMask }: { snapshot: Snapshot } & UpdateMask) =>
      snapshots.update(snapshot, updateMask?.paths ?? []),
    deleteSnapshot({ snapshot }: { snapshot: string }) {
      snapshots.delete(snapshot);
      return {};
    },
  };
}

/** The service google.pubsub.v1.Subscriber. */
export function subscriberService(broker: Broker, snapshots: Snapshots, deliveries: Deliveries) {
  const calls = { ...subscriptionCalls(broker, deliveries), ...messageCalls(broker), ...snapshotCalls(snapshots) };
  const entries = Object.entries(calls).map(([name, call]) => [name, unary(call as (request: unknown) => unknown)]);
  return {
    ...Object.fromEntries(entries),
    streamingPull: (call: Parameters<typeof streamingPull>[1]) => streamingPull(broker, call),
  };
}
