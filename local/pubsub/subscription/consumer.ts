import type { GrpcError } from '../../grpc.ts';
import type { Message } from '../messages.ts';

/** A delivered message. */
export interface Received {
  ackId: string;
  message: Message;
  deliveryAttempt: number;
}

/** Someone who wants messages as they come. */
export interface Consumer {
  /** Seconds that it has for a message; Infinity: as long as it lives. Default: the subscription's. */
  ackDeadlineSeconds?: number;
  /** How it spaces attempts where the subscription has no retry policy. Default: at once. */
  backoff?: { leastMs: number; mostMs: number };
  /** Whether it gets no second message of an ordering key before the first is settled. Default: it does. */
  oneAtATime?: boolean;
  /** Messages that it can take now. */
  room(): number;
  /** Bytes that it can take now; the message that goes over them is the last. Default: any. */
  roomBytes?(): number;
  deliver(messages: Received[]): void;
  /** It has a message no more. */
  release?(message: Message): void;
  /** The subscription takes no more from it. */
  end(reason: GrpcError): void;
}
