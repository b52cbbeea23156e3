export { canonicalHash, compileContract } from './compile.ts';
export { REASON_CODES } from './reason-codes.ts';
export type { ReasonCode } from './reason-codes.ts';
export { bucketOf } from './rules/bucket.ts';
export { normaliser } from './rules/normalise.ts';
export type { Normalised, RecordContext } from './rules/normalise.ts';
export { compareOrder, orderColumns } from './rules/order.ts';
export { Reducer } from './rules/reducer.ts';
export { rawRecordText, unpackObject } from './rules/unpack.ts';
export type { RawRecord, Unpacked } from './rules/unpack.ts';
export type { Row, Value } from './row.ts';
export { BIGQUERY_TYPES } from './schemas.ts';
export { SYSTEM_COLUMNS } from './types.ts';
export { freshnessOf } from './freshness.ts';
export type {
  Column,
  ColumnType,
  CompiledContract,
  Feed,
  FieldRule,
  IcebergField,
  MaintenancePolicy,
  SnapshotPolicy,
} from './types.ts';
