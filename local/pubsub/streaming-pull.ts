import grpc from '@grpc/grpc-js';
import { GrpcError } from '../grpc.ts';
import type { Broker } from './broker.ts';
import type { Consumer, Subscription } from './subscription.ts';

interface StreamRequest {
  subscription?: string;
  ackIds?: string[];
  modifyDeadlineSeconds?: number[];
  modifyDeadlineAckIds?: string[];
  maxOutstandingMessages?: string;
}

type Call = grpc.ServerDuplexStream<StreamRequest, unknown>;

function properties({ spec }: Subscription): object {
  return { exactlyOnceDeliveryEnabled: !!spec.enableExactlyOnceDelivery, messageOrderingEnabled: !!spec.enableMessageOrdering };
}

function consumerOf(call: Call, subscription: Subscription, first: StreamRequest): Consumer {
  const max = Number(first.maxOutstandingMessages) || 1_000;
  let held = 0;
  return {
    room: () => max - held,
    deliver(receivedMessages) {
      held += receivedMessages.length;
      call.write({ receivedMessages, subscriptionProperties: properties(subscription) });
    },
    release() {
      held -= 1;
      subscription.wake();
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
    for (const ackId of request.ackIds ?? []) known.ack(ackId);
    (request.modifyDeadlineAckIds ?? []).forEach((ackId, index) => known.extend(ackId, request.modifyDeadlineSeconds?.[index] ?? 0));
  });
  call.on('end', () => {
    leave();
    call.end();
  });
  call.on('cancelled', leave);
  call.on('error', leave);
}
