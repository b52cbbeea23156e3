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

/** One address that a poll reads. */
export interface Feed {
  /** Folder of Bronze under the source, and the last part of the URL without its extension. */
  name: string;
  /** The real address; where a request really goes is the poll function's configuration. */
  url: string;
  /** How far back one answer reaches, in seconds. */
  coverageSeconds: number;
  /** Time between polls, in seconds. Undefined: the feed has no schedule, so nothing can be missing from it. */
  intervalSeconds?: number;
}

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

/** How a table is kept in order. */
export interface MaintenancePolicy {
  /** Small files of one bucket from which on they become one. Default 8. */
  compactAtFiles?: number;
  snapshots?: SnapshotPolicy;
  /** Days after which a file that nothing needs is deleted; more than any job or commit may take. Default 3. */
  orphanAgeDays?: number;
}

/** How one column is taken from a record. */
export interface FieldRule {
  column: string;
  /** Path from the record, numbers index arrays: `['geometry', 'coordinates', '2']`. */
  from: string[];
  /** Where the value is absent: the last path segment of the URL at this path. */
  orLastPathSegmentOf?: string[];
  /** Conversion of the value. Default `as-is`. */
  as: 'as-is' | 'epoch-millis' | 'lower-case' | 'zero-one';
}

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
  key: string[];
  /** The column of type timestamptz that says which content of a key is newer. */
  versionField: string;
  /** Name of the origin's own order, such as the feed's `generated`. */
  carrierOrder: string;
  /** `none`: a version has one content, so a later sighting is no change. */
  versionTies: 'possible' | 'none';
  /** What a key's absence from a later answer means. */
  absence: 'never';
  sink: { kind: 'iceberg'; namespace: string; table: string; bucketCount: number };
  unpack: { kind: 'geojson-feature-collection'; mediaType: string; extension: string };
  mapping: FieldRule[];
  feeds: Feed[];
  hosts: string[];
  lookbackHours: number;
  /** IANA zone in which a bare date of a range begins. Default UTC. Partitions are hours of UTC all the same. */
  timeZone?: string;
  /** A backfill processes its chunks one after the other, oldest first, and stops at one that fails. Default false. */
  dependsOnPast?: boolean;
  /** Limits of upkeep. Default: those of each of its fields. */
  maintenance?: MaintenancePolicy;
  quarantine: { maxShare: number };
  commit: { maxLatencySeconds: number };
  jsonSchema: Record<string, unknown>;
  bigquerySchema: { name: string; type: string; mode: 'REQUIRED' | 'NULLABLE' }[];
  icebergSchema: { type: 'struct'; 'schema-id': number; fields: IcebergField[] };
  /** SHA-256, in hex, of the RFC 8785 form of all the above. */
  hash: string;
}

/** Columns that Cupel adds to every upsert table, in this order (docs/kappa-law.md). */
export const SYSTEM_COLUMNS: readonly Column[] = [
  { name: '_first_version', type: 'timestamptz', required: true, doc: 'Least version ever seen for the key' },
  { name: '_deleted', type: 'boolean', required: true, doc: 'Tombstone' },
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
