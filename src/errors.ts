/**
 * The one catalogue of coded errors. `message` says what was expected; `retryable` is what Temporal needs to know:
 * whether the same call may succeed later without a person.
 */
export const ERRORS = {
  CUP_ANSWER_TOO_LARGE: { message: 'expected an answer below the size limit', retryable: false },
  CUP_AUDIT_ID: { message: 'expected an audit id of 1 to 40 lower-case letters and digits', retryable: false },
  CUP_AUDIT_MISSING: {
    message: 'expected the audit table to be there; it was dropped or never made',
    retryable: false,
  },
  CUP_BACKFILL_INCOMPLETE: { message: 'expected every partition of the backfill to be done', retryable: false },
  CUP_BACKFILL_INPUT: { message: 'expected a backfill that Cupel can run', retryable: false },
  CUP_BACKFILL_REFUSED: { message: 'expected the backfill to take what was said', retryable: false },
  CUP_BACKFILL_REJECTED: { message: 'expected the audit to be approved', retryable: false },
  CUP_BACKFILL_RUNNING: { message: 'expected no backfill over the same range to run', retryable: false },
  CUP_BACKFILL_UNKNOWN: { message: 'expected the id of a backfill, or a source that has one', retryable: false },
  CUP_BEAM_JOB_FAILED: { message: 'expected the Beam job to succeed', retryable: false },
  CUP_BEAM_SERVICE_FAILED: { message: 'expected the job service of the Beam runner to answer', retryable: true },
  CUP_BUNDLE_MISSING: { message: 'expected a bundle of the workflows made beforehand', retryable: false },
  CUP_CATALOG_REFUSED: { message: 'expected the Iceberg REST catalog to accept the request', retryable: false },
  CUP_CATALOG_UNAVAILABLE: { message: 'expected an answer from the Iceberg REST catalog', retryable: true },
  CUP_CLIENT_CLOSED: { message: 'expected a client that is still open', retryable: false },
  CUP_COMMIT_CONFLICT: {
    message: 'expected the table to be as it was read; another writer was first',
    retryable: true,
  },
  CUP_COMMIT_UNKNOWN: { message: 'expected the catalog to say whether the commit took effect', retryable: true },
  CUP_CONTRACT_INVALID: {
    message: 'expected a contract of ODCS v3.1 with the custom properties of a Cupel source',
    retryable: false,
  },
  CUP_CONTRACT_BREAKING: {
    message: 'expected a contract that the published one can become without a rebuild',
    retryable: false,
  },
  CUP_CONTRACT_SUPERSEDED: {
    message: 'expected a batch of the contract that is published now; a rebuild came between',
    retryable: false,
  },
  CUP_CONTRACT_UNPUBLISHED: { message: 'expected the source to have a published contract', retryable: false },
  CUP_CONTRACT_UNRELATED: { message: 'expected two contracts of one source', retryable: false },
  CUP_DATAFLOW_JOB_CANCELLED: {
    message: 'expected the Dataflow job to end by itself; it was cancelled',
    retryable: false,
  },
  CUP_DATAFLOW_JOB_FAILED: { message: 'expected the Dataflow job to succeed', retryable: false },
  CUP_DATAFLOW_JOB_LOST: { message: 'expected Dataflow to know the job', retryable: false },
  CUP_DATAFORM_ASSERTION_FAILED: { message: 'expected every Dataform assertion to hold', retryable: false },
  CUP_DATAFORM_CANCELLED: {
    message: 'expected the Dataform invocation to end by itself; it was cancelled',
    retryable: false,
  },
  CUP_DATAFORM_COMPILATION_FAILED: { message: 'expected the Dataform project to compile', retryable: false },
  CUP_DATAFORM_INVOCATION_FAILED: { message: 'expected every Dataform action to succeed', retryable: false },
  CUP_DATAFORM_LOST: { message: 'expected Dataform to know the invocation', retryable: false },
  CUP_DELIVERY_CONFLICT: { message: 'expected the same body as the delivery of that id had before', retryable: false },
  CUP_DELIVERY_INVALID: { message: 'expected a delivery of bounded, harmless JSON', retryable: false },
  CUP_DELIVERY_MEDIA_TYPE: { message: 'expected a delivery of a known content type and encoding', retryable: false },
  CUP_DELIVERY_NOT_LANDED: { message: 'expected the delivery to be landed; send it again later', retryable: true },
  CUP_DELIVERY_TOO_LARGE: { message: 'expected a delivery within the size limit', retryable: false },
  CUP_DELIVERY_UNSIGNED: { message: 'expected a delivery signed by a known secret', retryable: false },
  CUP_DATASET_REFUSED: { message: 'expected a dataset export that Cupel can make', retryable: false },
  CUP_DELTA_INVALID: { message: 'expected deltas with non-null, unique keys in their buckets', retryable: false },
  CUP_ENVIRONMENT_INVALID: { message: 'expected the environment of the process to be complete', retryable: false },
  CUP_EVENT_REFUSED: { message: 'expected an event that its contract accepts', retryable: false },
  CUP_FEED_UNKNOWN: { message: 'expected a feed of the contract', retryable: false },
  CUP_FETCH_FAILED: { message: 'expected the feed to answer 200', retryable: true },
  CUP_FETCH_REFUSED: { message: 'expected the feed to accept the request', retryable: false },
  CUP_FIELDS_NEW: { message: 'expected the contract to take up new fields first', retryable: false },
  CUP_FILE_MISPLACED: {
    message: 'expected a file under <source>/<feed>/ of a contract with such a feed',
    retryable: false,
  },
  CUP_FILE_REFUSED: {
    message: 'expected a file that its contract can read, with few refused records',
    retryable: false,
  },
  CUP_FUNCTION_REFUSED: { message: 'expected the function to accept the request', retryable: false },
  CUP_FUNCTION_UNAVAILABLE: { message: 'expected the function to answer', retryable: true },
  CUP_GOLD_BYTES_CAP: { message: 'expected Gold to read fewer bytes than its cap', retryable: false },
  CUP_GOOGLE_REFUSED: { message: 'expected the Google API to accept the request', retryable: false },
  CUP_GOOGLE_UNAVAILABLE: { message: 'expected the Google API to answer', retryable: true },
  CUP_HOST_REFUSED: { message: "expected a host of the contract's list that is no private address", retryable: false },
  CUP_KEY_INVALID: { message: 'expected a key as the contract has it', retryable: false },
  CUP_LINEAGE_REFUSED: { message: 'expected the receiver of lineage to accept the event', retryable: false },
  CUP_LINEAGE_UNAVAILABLE: { message: 'expected the receiver of lineage to take the event', retryable: true },
  CUP_OBJECT_CORRUPT: { message: 'expected the object to match its checksums', retryable: false },
  CUP_OBJECT_NOT_FOUND: { message: 'expected the object to exist', retryable: false },
  CUP_OBJECT_UNREADABLE: { message: 'expected an object in the format that the contract declares', retryable: false },
  CUP_OBJECT_URI_INVALID: { message: 'expected a URI of the form gs://bucket/name', retryable: false },
  CUP_PARITY_OVERTAKEN: {
    message: 'expected the table to be the one that was compared; a rebuild came between',
    retryable: false,
  },
  CUP_PARITY_RUNNING: { message: 'expected no comparison of the source to run', retryable: false },
  CUP_PARTITIONS_FAILED: { message: 'expected every partition of the batch to be processable', retryable: false },
  CUP_PLAN_INVALID: { message: 'expected a plan as Cupel stores it', retryable: false },
  CUP_PRICES_INVALID: { message: 'expected a table of prices', retryable: false },
  CUP_PULL_WINDOW_FULL: { message: 'expected fewer records in a second than an answer holds', retryable: false },
  CUP_QUARANTINE_CAP: { message: 'expected a smaller share of refused records', retryable: false },
  CUP_RANGE_INVALID: { message: 'expected a half-open range of UTC times', retryable: false },
  CUP_RANGE_LEASED: { message: 'expected the range to be free; another run holds it', retryable: false },
  CUP_REBUILD_INCOMPLETE: {
    message: 'expected every partition of Bronze to be processed before a rebuild publishes',
    retryable: false,
  },
  CUP_REBUILD_RUNNING: { message: 'expected no rebuild of the source to run', retryable: false },
  CUP_REBUILD_UNSUPPORTED: { message: 'expected a rebuild that Cupel can do', retryable: false },
  CUP_REDRIVE_RUNNING: { message: 'expected no re-drive of the source to run', retryable: false },
  CUP_REQUEST_INVALID: { message: 'expected a well-formed request', retryable: false },
  CUP_ROWS_LOST: { message: 'expected records in = rows + reduced + quarantined', retryable: false },
  CUP_SCHEDULES_INVALID: { message: 'expected schedules as docs/schedules.md describes them', retryable: false },
  CUP_SCHEDULE_CHANGED: { message: 'expected nobody else to change the schedule meanwhile', retryable: true },
  CUP_SCHEDULE_FOREIGN: { message: 'expected a schedule of this environment of Cupel', retryable: false },
  CUP_SCHEDULE_UNKNOWN: { message: 'expected the id of a schedule', retryable: false },
  CUP_SCHEMA_FROZEN: { message: 'expected no field that the contract does not know', retryable: false },
  CUP_SNAPSHOT_NOT_FOUND: { message: 'expected a snapshot of the table', retryable: false },
  CUP_SOURCE_NOT_STREAMED: { message: 'expected a contract that says how its source is streamed', retryable: false },
  CUP_SOURCE_UNKNOWN: { message: 'expected a source with a contract', retryable: false },
  CUP_SOURCE_UNPUBLISHABLE: {
    message: 'expected a source whose contract names a topic of its own',
    retryable: false,
  },
  CUP_STREAM_DROPPED_LATE: { message: 'expected a streaming job that drops no message as late', retryable: false },
  CUP_TABLE_SCHEMA: { message: 'expected the table to have the columns of the contract', retryable: false },
  CUP_TABLE_UNSUPPORTED: {
    message: 'expected an Iceberg v2 table of Parquet or Avro files, without delete files',
    retryable: false,
  },
  CUP_TEMPORAL_CONFIG: { message: 'expected a usable connection profile for Temporal', retryable: false },
  CUP_TEMPORAL_SETUP: { message: "expected Temporal's namespace and search attributes to be there", retryable: false },
  CUP_TEMPORAL_UNAVAILABLE: { message: 'expected Temporal to answer', retryable: true },
  CUP_TICK_INPUT: { message: 'expected a tick of a known kind with what it needs', retryable: false },
  CUP_WEBHOOK_REFUSED: { message: 'expected the receiver of notifications to accept the message', retryable: false },
  CUP_WEBHOOK_UNAVAILABLE: { message: 'expected the receiver of notifications to answer', retryable: true },
  CUP_WORKER_SILENT: {
    message: 'expected a worker to answer; is one running? the workflow itself waits',
    retryable: true,
  },
  CUP_WORKER_STOPPING: { message: 'expected a worker that goes on', retryable: true },
  CUP_WORKFLOW_ENDED: { message: 'expected the workflow to come to an end by itself', retryable: false },
} as const satisfies Record<string, { message: string; retryable: boolean }>;

/** A code of the catalogue. */
export type ErrorCode = keyof typeof ERRORS;

/** An error of the catalogue: `code` for machines, `message` for people, `details` without payload values. */
export class CupelError extends Error {
  override readonly name = 'CupelError';
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, details: Record<string, unknown> = {}, cause?: unknown) {
    const where = Object.entries(details).map(([name, value]) => `${name}: ${String(value)}`);
    super(`${code}: ${ERRORS[code].message}${where.length ? ` (${where.join(', ')})` : ''}`, { cause });
    this.code = code;
    this.retryable = ERRORS[code].retryable;
    this.details = details;
  }
}

/** Makes an error of the catalogue; `details` says where and what was found, never a payload value. */
export function cupelError(code: ErrorCode, details?: Record<string, unknown>, cause?: unknown): CupelError {
  return new CupelError(code, details, cause);
}
