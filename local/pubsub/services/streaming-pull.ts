import type grpc from '@grpc/grpc-js';
import { GrpcError } from '../../grpc.ts';
import type { Broker } from '../broker.ts';
import { sizeOf } from '../messages.ts';
import type { Consumer } from '../subscription/consumer.ts';
import type { Subscription } from '../subscription/subscription.ts';
import { pullable } from './pullable.ts';

interface StreamRequest {
  subscription?: string;
  ackIds?: string[];
  modifyDeadlineSeconds?: number[];
  modifyDeadlineAckIds?: string[];
  streamAckDeadlineSeconds?: number;
  maxOutstandingMessages?: string;
  maxOutstandingBytes?: string;
}

type Call = grpc.ServerDuplexStream<StreamRequest, unknown>;

function properties({ spec }: Subscription): object {
  return {
    exactlyOnceDeliveryEnabled: !!spec.enableExactlyOnceDelivery,
    messageOrderingEnabled: !!spec.enableMessageOrdering,
  };
}

const statusOf = (error: unknown): unknown =>
  error instanceof GrpcError ? { code: error.code, details: error.details } : error;

function consumerOf(call: Call, subscription: Subscription, first: StreamRequest): Consumer {
  const maxMessages = Number(first.maxOutstandingMessages) || 1_000;
  const maxBytes = Number(first.maxOutstandingBytes) || Infinity;
  let messages = 0;
  let bytes = 0;
  return {
    ...(first.streamAckDeadlineSeconds ? { ackDeadlineSeconds: first.streamAckDeadlineSeconds } : {}),
    room: () => (bytes < maxBytes ? maxMessages - messages : 0),
    roomBytes: () => maxBytes - bytes,
    deliver(receivedMessages) {
      messages += receivedMessages.length;
      for (const { message } of receivedMessages) bytes += sizeOf(message);
      call.write({ receivedMessages, subscriptionProperties: properties(subscription) });
    },
    release(message) {
      messages -= 1;
      bytes -= sizeOf(message);
      subscription.wake();
    },
    end: (reason) => call.emit('error', statusOf(reason)),
  };
}

/** Takes acknowledgements and new deadlines; an exactly-once subscription confirms them. */
function settle(call: Call, subscription: Subscription, request: StreamRequest): void {
  const { ackIds = [], modifyDeadlineAckIds = [], modifyDeadlineSeconds = [] } = request;
  const notAcked = new Set(subscription.ack(ackIds));
  const notMoved = new Set(
    modifyDeadlineAckIds.flatMap((ackId, index) => subscription.extend([ackId], modifyDeadlineSeconds[index] ?? 0)),
  );
  if (!subscription.spec.enableExactlyOnceDelivery) return;
  const confirmed = (ids: string[], invalid: Set<string>) => ({
    ackIds: ids.filter((id) => !invalid.has(id)),
    invalidAckIds: [...invalid],
  });
  if (ackIds.length) call.write({ acknowledgeConfirmation: confirmed(ackIds, notAcked) });
  if (modifyDeadlineAckIds.length)
    call.write({ modifyAckDeadlineConfirmation: confirmed(modifyDeadlineAckIds, notMoved) });
}

/** Serves one StreamingPull: messages flow as long as the client has room; acknowledgements come by stream or by call. */
export function streamingPull(broker: Broker, call: Call): void {
  let subscription: Subscription | undefined;
  let consumer: Consumer | undefined;
  const leave = (): void => {
    if (subscription && consumer) subscription.removeConsumer(consumer);
  };
  call.on('data', (request: StreamRequest) => {
    if (!subscription) {
      try {
        subscription = pullable(broker.subscription(request.subscription ?? ''));
      } catch (error) {
        call.emit('error', statusOf(error));
        return;
      }
      consumer = consumerOf(call, subscription, request);
      call.write({ receivedMessages: [], subscriptionProperties: properties(subscription) });
      subscription.addConsumer(consumer);
    }
    // A client that learns how long its messages take moves its deadline while the stream runs.
    if (consumer && request.streamAckDeadlineSeconds) consumer.ackDeadlineSeconds = request.streamAckDeadlineSeconds;
    settle(call, subscription, request);
  });
  call.on('end', () => {
    leave();
    call.end();
  });
  call.on('cancelled', leave);
  call.on('error', leave);
}
