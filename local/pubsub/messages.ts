/** A time as protobuf has it. */
export interface Timestamp {
  seconds?: string;
  nanos?: number;
}

/** A message as Pub/Sub stores it. */
export interface Message {
  data?: Buffer;
  attributes?: Record<string, string>;
  messageId: string;
  publishTime: Required<Timestamp>;
  orderingKey?: string;
}

/** A message as a publisher sends it. */
export type Unsent = Omit<Message, 'messageId' | 'publishTime'>;

/** Duration of protobuf. */
export interface Duration {
  seconds?: string;
  nanos?: number;
}

/** Milliseconds of a duration. */
export function millis(duration: Duration | undefined, fallback: number): number {
  return duration ? Number(duration.seconds ?? 0) * 1000 + (duration.nanos ?? 0) / 1e6 : fallback;
}

/** Milliseconds since 1970, with fractions. */
export function epochMs({ seconds, nanos }: Timestamp): number {
  return Number(seconds ?? 0) * 1000 + (nanos ?? 0) / 1e6;
}

/** Bytes of a message, as flow control counts them. */
export function sizeOf(message: Message): number {
  let size = message.data?.length ?? 0;
  for (const [key, value] of Object.entries(message.attributes ?? {})) size += key.length + value.length;
  return size;
}

/** A time as ISO 8601. */
export function isoTime(time: Timestamp): string {
  return new Date(epochMs(time)).toISOString();
}

/** Attributes as export subscriptions write them: the ordering key is one of them. */
export function attributesWithKey({ attributes, orderingKey }: Message): Record<string, string> {
  return { ...attributes, ...(orderingKey ? { ordering_key: orderingKey } : {}) };
}

/** Replaces the fields that a field mask names (`labels`, `push_config`, `push_config.push_endpoint`) in a copy. */
export function applyMask<T extends object>(current: T, changes: object, paths: string[]): T {
  const copy = { ...current } as Record<string, unknown>;
  const given = changes as Record<string, unknown>;
  for (const path of paths) {
    const [head = '', ...rest] = path.split('.');
    const key = camelCase(head);
    if (!rest.length) copy[key] = given[key];
    else copy[key] = applyMask((copy[key] ?? {}) as object, (given[key] ?? {}) as object, [rest.join('.')]);
  }
  return copy as T;
}

/** A field's name of the protos as JavaScript has it. */
export function camelCase(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
