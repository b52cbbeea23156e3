export { planFields, withFields } from './evolve.ts';
export type { EvolvedField, SeenField } from './evolve.ts';
export { contractChanges, gravest } from './changes/index.ts';
export type { ContractChange, Impact } from './changes/index.ts';
export { canonicalHash } from './canonical.ts';
export { assembleContract, compileContract } from './compile.ts';
export { REASON_CODES } from './reason-codes.ts';
export type { ReasonCode } from './reason-codes.ts';
export { bucketOf } from './rules/bucket.ts';
export { normaliser } from './rules/normalise.ts';
export type { Normalised, RecordContext } from './rules/normalise.ts';
export { compareOrder, orderColumns } from './rules/order.ts';
export { Reducer } from './rules/reducer.ts';
export { messageRecord, rawRecord, readEnvelope, unpackObject, webhookRecordId } from './rules/unpack/index.ts';
export type { RawRecord, Unpacked, WebhookEnvelope } from './rules/unpack/index.ts';
export { typeOfKinds } from './rules/unknown-fields.ts';
export type { JsonKind, UnknownField } from './rules/unknown-fields.ts';
export { hourOfMicros, rfc3339ToMicros } from './rules/times.ts';
export type { Row, Value } from './row.ts';
export { BIGQUERY_TYPES } from './schemas.ts';
export { intervalOf, isPolled, isPulled } from './feeds.ts';
export type { Feed, FileFeed, PollFeed, PullFeed, WebhookFeed } from './feeds.ts';
export { tableName } from './table-name.ts';
export { SYSTEM_COLUMNS, systemColumns } from './types.ts';
export { freshnessOf } from './freshness.ts';
export type {
  Column,
  ColumnType,
  CompiledContract,
  FieldRule,
  IcebergField,
  MaintenancePolicy,
  SnapshotPolicy,
  StreamPolicy,
  UnknownFieldPolicy,
} from './types.ts';
