import type { Duration, Timestamp } from './messages.ts';

/** How a topic checks what is published. */
export interface SchemaSettings {
  schema?: string;
  encoding?: 'ENCODING_UNSPECIFIED' | 'JSON' | 'BINARY';
  firstRevisionId?: string;
  lastRevisionId?: string;
}

/** A topic; fields that this server does not act on are kept and shown. */
export interface Topic {
  name: string;
  labels?: Record<string, string>;
  schemaSettings?: SchemaSettings | null;
  messageRetentionDuration?: Duration | null;
}

/** Where and how a push subscription delivers. */
export interface PushConfig {
  pushEndpoint?: string;
  oidcToken?: { serviceAccountEmail?: string; audience?: string };
  noWrapper?: { writeMetadata?: boolean };
}

/** Which table a subscription writes, and how. */
export interface BigQueryConfig {
  /** `{project}.{dataset}.{table}` */
  table?: string;
  useTopicSchema?: boolean;
  useTableSchema?: boolean;
  writeMetadata?: boolean;
  dropUnknownFields?: boolean;
  state?: ExportState;
}

/** Which bucket a subscription writes, and how. */
export interface CloudStorageConfig {
  bucket?: string;
  filenamePrefix?: string;
  filenameSuffix?: string;
  filenameDatetimeFormat?: string;
  textConfig?: object;
  avroConfig?: { writeMetadata?: boolean; useTopicSchema?: boolean };
  maxDuration?: Duration;
  maxBytes?: string;
  maxMessages?: string;
  state?: ExportState;
}

/** Whether an export subscription can write. */
export type ExportState = 'ACTIVE' | 'PERMISSION_DENIED' | 'NOT_FOUND' | 'SCHEMA_MISMATCH';

/** A subscription; fields that this server does not act on are kept and shown. */
export interface SubscriptionSpec {
  name: string;
  topic: string;
  ackDeadlineSeconds?: number;
  enableMessageOrdering?: boolean;
  enableExactlyOnceDelivery?: boolean;
  filter?: string;
  detached?: boolean;
  retainAckedMessages?: boolean;
  messageRetentionDuration?: Duration | null;
  /** Of its topic; shown only. */
  topicMessageRetentionDuration?: Duration;
  pushConfig?: PushConfig | null;
  bigqueryConfig?: BigQueryConfig | null;
  cloudStorageConfig?: CloudStorageConfig | null;
  deadLetterPolicy?: { deadLetterTopic?: string; maxDeliveryAttempts?: number } | null;
  retryPolicy?: { minimumBackoff?: Duration; maximumBackoff?: Duration } | null;
  state?: 'ACTIVE' | 'RESOURCE_ERROR';
}

/** A snapshot of a subscription's backlog. */
export interface Snapshot {
  name: string;
  topic: string;
  expireTime: Timestamp;
  labels?: Record<string, string>;
}

/** One revision of a schema. */
export interface Schema {
  name: string;
  type?: 'TYPE_UNSPECIFIED' | 'PROTOCOL_BUFFER' | 'AVRO';
  definition?: string;
  revisionId?: string;
  revisionCreateTime?: Timestamp;
}

/** What takes the place of a deleted topic's name. */
export const DELETED_TOPIC = '_deleted-topic_';

/** What takes the place of a deleted schema's name. */
export const DELETED_SCHEMA = '_deleted-schema_';
