/** A message as Pub/Sub stores it. */
export interface Message {
  data?: Buffer;
  attributes?: Record<string, string>;
  messageId: string;
  publishTime: { seconds: string; nanos: number };
  orderingKey?: string;
}

/** Duration of protobuf. */
export interface Duration {
  seconds?: string;
  nanos?: number;
}

/** The part of a subscription that this server acts on; all else is kept and shown. */
export interface SubscriptionSpec {
  name: string;
  topic: string;
  ackDeadlineSeconds?: number;
  enableMessageOrdering?: boolean;
  enableExactlyOnceDelivery?: boolean;
  filter?: string;
  pushConfig?: { pushEndpoint?: string; oidcToken?: { audience?: string } };
  deadLetterPolicy?: { deadLetterTopic?: string; maxDeliveryAttempts?: number };
  retryPolicy?: { minimumBackoff?: Duration; maximumBackoff?: Duration };
  state?: string;
}

/** Milliseconds of a duration. */
export function millis(duration: Duration | undefined, fallback: number): number {
  return duration ? Number(duration.seconds ?? 0) * 1000 + (duration.nanos ?? 0) / 1e6 : fallback;
}
