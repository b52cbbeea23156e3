import grpc from '@grpc/grpc-js';
import { GrpcError } from '../grpc.ts';
import { datetimeProblem } from './cloud-storage/object-name.ts';
import { millis } from './messages.ts';
import type { Duration, Unsent } from './messages.ts';
import type { CloudStorageConfig, SubscriptionSpec, Topic } from './resources.ts';
import { compileFilter } from './subscription/filter.ts';

/** An error INVALID_ARGUMENT. */
export function invalid(details: string): GrpcError {
  return new GrpcError(grpc.status.INVALID_ARGUMENT, details);
}

/** Fields that Google acts on and this server does not: to take them in silence would be a lie. */
const UNSERVED = ['messageTransforms', 'ingestionDataSourceSettings', 'bigtableConfig'];

function checkServed(resource: object): void {
  const found = UNSERVED.find((name) => {
    const value = (resource as Record<string, unknown>)[name];
    return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== null;
  });
  if (found) throw new GrpcError(grpc.status.UNIMPLEMENTED, `This server does not serve ${found}.`);
}

function demand(holds: boolean, details: string): void {
  if (!holds) throw invalid(details);
}

const NAME = /^projects\/[^/]+\/(topics|subscriptions|snapshots|schemas)\/(?!goog)[A-Za-z][\w.~+%-]{2,254}$/;

/** @throws GrpcError INVALID_ARGUMENT unless it is the full name of a resource of this kind */
export function checkName(name: string, kind: 'topics' | 'subscriptions' | 'snapshots' | 'schemas'): void {
  demand(NAME.exec(name)?.[1] === kind, `Invalid [${kind}] name: (name=${name})`);
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

function checkDuration(name: string, value: Duration | null | undefined, least: number, most: number): void {
  const ms = millis(value ?? undefined, least);
  demand(
    ms >= least && ms <= most,
    `Invalid ${name}: ${ms / 1000} s is not between ${least / 1000} and ${most / 1000} s.`,
  );
}

function checkRetention(duration: Duration | null | undefined): void {
  checkDuration('message_retention_duration', duration, 10 * MINUTE_MS, 31 * DAY_MS);
}

/** @throws GrpcError INVALID_ARGUMENT for what Google refuses too, UNIMPLEMENTED for what only Google has */
export function checkTopic(topic: Topic): void {
  checkName(topic.name, 'topics');
  checkServed(topic);
  checkRetention(topic.messageRetentionDuration);
  const { schemaSettings } = topic;
  const { encoding } = schemaSettings ?? {};
  demand(!schemaSettings || encoding === 'JSON' || encoding === 'BINARY', 'schema_settings needs an encoding.');
}

/** @throws GrpcError INVALID_ARGUMENT for what Google refuses too, UNIMPLEMENTED for what only Google has */
export function checkSubscription(spec: SubscriptionSpec): void {
  checkName(spec.name, 'subscriptions');
  checkServed(spec);
  checkAckDeadline(spec.ackDeadlineSeconds || 10, 10);
  checkRetention(spec.messageRetentionDuration);
  checkFilter(spec.filter);
  const { maxDeliveryAttempts = 0 } = spec.deadLetterPolicy ?? {};
  const attempts = maxDeliveryAttempts === 0 || (maxDeliveryAttempts >= 5 && maxDeliveryAttempts <= 100);
  demand(attempts, `max_delivery_attempts must be between 5 and 100, found ${maxDeliveryAttempts}.`);
  checkRetryPolicy(spec);
  checkDelivery(spec);
}

function checkFilter(filter: string | undefined): void {
  demand(Buffer.byteLength(filter ?? '') <= 256, 'The filter is longer than 256 bytes.');
  compileFilter(filter);
}

function checkRetryPolicy({ retryPolicy }: SubscriptionSpec): void {
  if (!retryPolicy) return;
  const { minimumBackoff, maximumBackoff } = retryPolicy;
  checkDuration('minimum_backoff', minimumBackoff, 0, 600_000);
  checkDuration('maximum_backoff', maximumBackoff, 0, 600_000);
  const ordered = millis(minimumBackoff, 10_000) <= millis(maximumBackoff, 600_000);
  demand(ordered, 'minimum_backoff is greater than maximum_backoff.');
}

/** One way of delivery, with a configuration that holds together. */
function checkDelivery(spec: SubscriptionSpec): void {
  const { pushConfig, bigqueryConfig, cloudStorageConfig } = spec;
  const ways = [pushConfig?.pushEndpoint, bigqueryConfig?.table, cloudStorageConfig?.bucket].filter(Boolean).length;
  demand(ways <= 1, 'A subscription has at most one of push_config, bigquery_config and cloud_storage_config.');
  demand(!ways || !spec.enableExactlyOnceDelivery, 'Exactly once delivery needs a pull subscription.');
  if (pushConfig?.pushEndpoint) demand(isHttp(pushConfig.pushEndpoint), 'push_endpoint is no URL.');
  if (bigqueryConfig) {
    const { table = '', useTopicSchema, useTableSchema } = bigqueryConfig;
    demand(/^[^.]+\.[^.]+\.[^.]+$/.test(table), `Invalid table ${table}: expected {project}.{dataset}.{table}.`);
    demand(!(useTopicSchema && useTableSchema), 'use_topic_schema and use_table_schema exclude each other.');
  }
  if (cloudStorageConfig) checkArchive(cloudStorageConfig);
}

function isHttp(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}

const KIB = 1024;

function checkArchive(config: CloudStorageConfig): void {
  const { bucket = '', filenameSuffix = '', filenameDatetimeFormat, maxDuration, maxBytes, maxMessages } = config;
  demand(/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/.test(bucket), `Invalid bucket name ${bucket}.`);
  demand(!filenameSuffix.endsWith('/'), 'filename_suffix ends in "/".');
  const problem = filenameDatetimeFormat ? datetimeProblem(filenameDatetimeFormat) : undefined;
  demand(!problem, `Invalid filename_datetime_format: ${problem}.`);
  checkDuration('max_duration', maxDuration, MINUTE_MS, 10 * MINUTE_MS);
  const bytes = Number(maxBytes ?? 0);
  demand(bytes === 0 || (bytes >= KIB && bytes <= 10 * KIB ** 3), 'max_bytes must be between 1 KiB and 10 GiB.');
  const messages = Number(maxMessages ?? 0);
  demand(messages === 0 || messages >= 1_000, 'max_messages must be 1000 or more.');
}

/** @throws GrpcError INVALID_ARGUMENT for seconds out of range; 0 takes a message back, where `least` lets it */
export function checkAckDeadline(seconds: number, least = 0): void {
  demand(seconds >= least && seconds <= 600, `Invalid ack deadline: ${seconds} s is not between ${least} and 600 s.`);
}

const REQUEST_BYTES = 10_000_000;

/** @throws GrpcError INVALID_ARGUMENT for messages that Google refuses too */
export function checkMessages(messages: Unsent[]): void {
  demand(messages.length > 0, 'The request has no messages.');
  demand(messages.length <= 1_000, `A request has at most 1000 messages, found ${messages.length}.`);
  const key = messages[0]?.orderingKey ?? '';
  let bytes = 0;
  for (const message of messages) {
    demand((message.orderingKey ?? '') === key, 'All messages of a request must have the same ordering key.');
    bytes += checkMessage(message);
  }
  demand(bytes <= REQUEST_BYTES, `A request has at most ${REQUEST_BYTES} bytes, found ${bytes}.`);
  demand(Buffer.byteLength(key) <= KIB, 'An ordering key is longer than 1024 bytes.');
}

/** Bytes of a message. */
function checkMessage({ data, attributes = {} }: Unsent): number {
  const entries = Object.entries(attributes);
  demand(!!data?.length || entries.length > 0, 'A message needs data or attributes.');
  demand(entries.length <= 100, `A message has at most 100 attributes, found ${entries.length}.`);
  let bytes = data?.length ?? 0;
  for (const [name, value] of entries) {
    const [nameBytes, valueBytes] = [Buffer.byteLength(name), Buffer.byteLength(value)];
    demand(nameBytes > 0 && nameBytes <= 256, `An attribute's name has 1 to 256 bytes, found ${nameBytes}.`);
    demand(valueBytes <= KIB, `The attribute ${name} has more than 1024 bytes.`);
    bytes += nameBytes + valueBytes;
  }
  return bytes;
}
