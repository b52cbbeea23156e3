import grpc from '@grpc/grpc-js';
import { GrpcError } from '../grpc.ts';
import type { Broker } from './broker.ts';
import { sizeOf } from './messages.ts';
import type { Consumer, Subscription } from './subscription.ts';

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
    end() {
      const details = `Resource not found (resource=${subscription.spec.name}).`;
      call.emit('error', { code: grpc.status.NOT_FOUND, details });
    },
  };
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
        subscription = broker.subscription(request.subscription ?? '');
      } catch (error) {
        call.emit('error', error instanceof GrpcError ? { code: error.code, details: error.details } : error);
        return;
      }
      consumer = consumerOf(call, subscription, request);
      call.write({ receivedMessages: [], subscriptionProperties: properties(subscription) });
      subscription.addConsumer(consumer);
    }
    const known = subscription;
    // A client that learns how long its messages take moves its deadline while the stream runs.
    if (consumer && request.streamAckDeadlineSeconds) consumer.ackDeadlineSeconds = request.streamAckDeadlineSeconds;
    for (const ackId of request.ackIds ?? []) known.ack(ackId);
    (request.modifyDeadlineAckIds ?? []).forEach((ackId, index) =>
      known.extend(ackId, request.modifyDeadlineSeconds?.[index] ?? 0),
    );
  });
  call.on('end', () => {
    leave();
    call.end();
  });
  call.on('cancelled', leave);
  call.on('error', leave);
}
