import type { Feed } from './feeds.ts';

/** The types of columns that a contract can declare, by their Iceberg names. */
export type ColumnType = 'string' | 'long' | 'int' | 'double' | 'boolean' | 'timestamptz' | 'binary';

/** One column of a Silver table. */
export interface Column {
  name: string;
  type: ColumnType;
  /** A required column is never null; a record without it is quarantined. */
  required: boolean;
  doc?: string;
}

/** Where Pub/Sub carries the records of a source, and where else to. */
export interface Messaging {
  /** Topic of the source's own, which apps publish to. Default: the topic of all records that landed otherwise. */
  topic?: string;
  /**
   * Member of the message whose text is its ordering key: messages of one key are delivered in the order of their publishing, at
   * most 1 MB/s for each. Default: messages have none.
   */
  orderingKey?: string;
  /** Dataset and table of Bronze in BigQuery, `raw.<table>`, which a BigQuery subscription fills. Default: there is none. */
  rawTable?: string;
  /**
   * Columns of that table beside the message's metadata. `message`: the message whole, as JSON in `data`. `contract`: one for
   * each member of the message that the mapping reads (`use_table_schema` of the subscription). Default `message`.
   */
  rawColumns?: 'message' | 'contract';
}

/** Where the Kappa pipeline's rows of a source end. */
export type Sink =
  | {
      /** Upsert table: the greatest row of each key under the Kappa law. */
      kind: 'iceberg';
      namespace: string;
      table: string;
      bucketCount: number;
    }
  | {
      /** Log: each record once, by its id, in objects of an hour and a bucket (docs/append-log.md). */
      kind: 'append-log';
      format: 'parquet' | 'avro';
      namespace: string;
      table: string;
      bucketCount: number;
    };

/** How an object of Bronze is opened. */
export type Unpack =
  | { kind: 'geojson-feature-collection'; mediaType: string; extension: string }
  | { kind: 'webhook-envelope'; mediaType: string; extension: string }
  | {
      kind: 'csv';
      mediaType: string;
      extension: string;
      /** Default `,`. */
      delimiter?: string;
      /** As the WHATWG Encoding Standard names it, such as `windows-1252`. Default `utf-8`. */
      encoding?: string;
    }
  | { kind: 'pubsub-avro'; mediaType: string; extension: string };

/** Which snapshots of a table stay; the newest one always does. */
export interface SnapshotPolicy {
  /** Hours of which every snapshot stays. Default 1. */
  allHours?: number;
  /** Days of which one snapshot an hour stays. Default 7, the reach of BigQuery's own time travel. */
  hourlyDays?: number;
  /** Days of which one snapshot a day stays. Default 30. */
  dailyDays?: number;
  /** Most snapshots, 10 to 400. Default 400: BigLake refuses metadata over 1 MB. */
  max?: number;
}

/** How messages of a source become batches while it is streamed. */
export interface StreamPolicy {
  /** Most messages of a batch. Default 5,000. */
  maxBatch?: number;
  /** Seconds that the first message of a batch waits for others, at most. Default 10. */
  maxLatencySeconds?: number;
}

/** How a table is kept in order. */
export interface MaintenancePolicy {
  /** Small files of one bucket from which on they become one. Default 8. */
  compactAtFiles?: number;
  snapshots?: SnapshotPolicy;
  /** Days after which a file that nothing needs is deleted; more than any job or commit may take. Default 3. */
  orphanAgeDays?: number;
}

/**
 * How a value becomes that of its column. `as-is`: it has the column's type already. The others take what their names say:
 * `decimal-text`, `integer-text` and `boolean-text` read text, as CSV has it; `rfc3339` a time with its offset; `json` any
 * value, which becomes its RFC 8785 text.
 */
export type Conversion =
  | 'as-is'
  | 'epoch-millis'
  | 'rfc3339'
  | 'lower-case'
  | 'zero-one'
  | 'decimal-text'
  | 'integer-text'
  | 'boolean-text'
  | 'json';

/** How one column is taken from a record. */
export interface FieldRule {
  column: string;
  /** Path from the record, numbers index arrays: `['geometry', 'coordinates', '2']`. */
  from: string[];
  /** Where the value is absent: the last path segment of the URL at this path. */
  orLastPathSegmentOf?: string[];
  /** Conversion of the value. Default `as-is`. */
  as: Conversion;
}

/**
 * What becomes of a member of a record that neither the mapping nor `ignoredFields` knows; the names are dlt's, of its schema
 * contracts. Whatever it is, each is counted.
 *
 * - `evolve`: the table gets a nullable column for it, and the record is processed again under the contract that has it.
 * - `freeze`: the partition fails, and nothing of its batch is published.
 * - `discard_row`: the record is quarantined.
 * - `discard_value`: the record is kept without it.
 */
export type UnknownFieldPolicy = 'evolve' | 'freeze' | 'discard_row' | 'discard_value';

/** A field of an Iceberg schema. Ids are given in order, from 1. */
export interface IcebergField {
  id: number;
  name: string;
  required: boolean;
  type: ColumnType;
  doc?: string;
}

/** A contract, checked and compiled: what every other part reads. It is immutable and named by its hash. */
export interface CompiledContract {
  source: string;
  version: string;
  /** Integer; rows of a higher one win over equal versions. */
  rulesVersion: number;
  /** The contract's columns in order, without the system columns. */
  columns: Column[];
  /** The column that identifies a row; of a log, `_record_id`. */
  key: string[];
  /** The column of type timestamptz that says which content of a key is newer; of a log, `_carrier_order`. */
  versionField: string;
  /** Column that says when what a row tells of happened. Default: the version field. */
  eventTime?: string;
  /** Name of the origin's own order: the feed's `generated`, the envelope's `received_at`, a message's `carrier_order`, a column of a CSV file. */
  carrierOrder: string;
  /** `none`: a version has one content, so a later sighting is no change. */
  versionTies: 'possible' | 'none';
  /** What a key's absence from a later answer means. */
  absence: 'never';
  sink: Sink;
  unpack: Unpack;
  mapping: FieldRule[];
  /** Default `discard_value`: a table never changes unasked. */
  unknownFields?: UnknownFieldPolicy;
  /** Paths of members that are known and left out on purpose, and with each all below it: `properties.detail`. */
  ignoredFields?: string[];
  feeds: Feed[];
  /** Hosts that polls and pulls may go to, redirects included; none where there are neither. */
  hosts: string[];
  /** Default: records go to the topic of all, and nowhere else. */
  messaging?: Messaging;
  lookbackHours: number;
  /** IANA zone in which a bare date of a range begins. Default UTC. Partitions are hours of UTC all the same. */
  timeZone?: string;
  /** A backfill processes its chunks one after the other, oldest first, and stops at one that fails. Default false. */
  dependsOnPast?: boolean;
  /** Limits of upkeep. Default: those of each of its fields. */
  maintenance?: MaintenancePolicy;
  quarantine: { maxShare: number };
  commit: { maxLatencySeconds: number };
  /** Default: the source is not streamed, and has no subscription for it. */
  stream?: StreamPolicy;
  /** Hash of the contract that this one computes again for comparison, into a table of its own (docs/parity.md). Default: none. */
  shadowOf?: string;
  jsonSchema: Record<string, unknown>;
  bigquerySchema: { name: string; type: string; mode: 'REQUIRED' | 'NULLABLE' }[];
  icebergSchema: { type: 'struct'; 'schema-id': number; fields: IcebergField[] };
  /** SHA-256, in hex, of the RFC 8785 form of all the above. */
  hash: string;
}

/** Columns that Cupel adds to every table of Silver, in this order (docs/kappa-law.md). */
export const SYSTEM_COLUMNS: readonly Column[] = [
  { name: '_first_version', type: 'timestamptz', required: true, doc: 'Least version ever seen for the key' },
  { name: '_tombstone', type: 'boolean', required: true, doc: 'Tombstone' },
  {
    name: '_carrier_order',
    type: 'timestamptz',
    required: true,
    doc: 'Order of the answer or envelope that carried the record',
  },
  { name: '_rules_version', type: 'int', required: true, doc: 'Version of the rules that made the row' },
  { name: '_record_hash', type: 'binary', required: true, doc: 'SHA-256 of the raw record in RFC 8785 form, 32 bytes' },
  { name: '_record_id', type: 'string', required: true, doc: 'Bronze object and offset of the record' },
  { name: '_bronze_object', type: 'string', required: true, doc: 'Bronze object that holds the record' },
  { name: '_contract', type: 'string', required: true, doc: 'Hash of the contract that made the row' },
];

/** Where a record of a log belongs: objects of a log hold an hour each. */
export const HOUR_COLUMN: Column = {
  name: '_hour',
  type: 'timestamptz',
  required: true,
  doc: 'Nominal hour of the record: of its message, its receipt or its poll',
};

/** The system columns of a contract's table, in order. */
export function systemColumns({ sink }: Pick<CompiledContract, 'sink'>): Column[] {
  return sink.kind === 'append-log' ? [...SYSTEM_COLUMNS, HOUR_COLUMN] : [...SYSTEM_COLUMNS];
}
