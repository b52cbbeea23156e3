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

/** Where and how a push subscription delivers. */
export interface PushConfig {
  pushEndpoint?: string;
  oidcToken?: { audience?: string };
}

/** The part of a subscription that this server acts on; all else is kept and shown. */
export interface SubscriptionSpec {
  name: string;
  topic: string;
  ackDeadlineSeconds?: number;
  enableMessageOrdering?: boolean;
  enableExactlyOnceDelivery?: boolean;
  filter?: string;
  pushConfig?: PushConfig;
  deadLetterPolicy?: { deadLetterTopic?: string; maxDeliveryAttempts?: number };
  retryPolicy?: { minimumBackoff?: Duration; maximumBackoff?: Duration };
  state?: string;
}

/** Milliseconds of a duration. */
export function millis(duration: Duration | undefined, fallback: number): number {
  return duration ? Number(duration.seconds ?? 0) * 1000 + (duration.nanos ?? 0) / 1e6 : fallback;
}

/** Bytes of a message, as flow control counts them. */
export function sizeOf(message: Message): number {
  let size = message.data?.length ?? 0;
  for (const [key, value] of Object.entries(message.attributes ?? {})) size += key.length + value.length;
  return size;
}

/** A time as ISO 8601. */
export function isoTime({ seconds, nanos }: Message['publishTime']): string {
  return new Date(Number(seconds) * 1000 + nanos / 1e6).toISOString();
}

/** Replaces the fields that a field mask names (`labels`, `push_config`, `push_config.push_endpoint`) in a copy. */
export function applyMask<T extends object>(current: T, changes: object, paths: string[]): T {
  const copy = { ...current } as Record<string, unknown>;
  const given = changes as Record<string, unknown>;
  for (const path of paths) {
    const [head = '', ...rest] = path.split('.');
    const key = head.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    if (!rest.length) copy[key] = given[key];
    else copy[key] = applyMask((copy[key] ?? {}) as object, (given[key] ?? {}) as object, [rest.join('.')]);
  }
  return copy as T;
}
