/**
 * The one catalogue of coded errors. `message` says what was expected; `retryable` is what Temporal needs to know:
 * whether the same call may succeed later without a person.
 */
export const ERRORS = {
  CUP_CONTRACT_INVALID: { message: 'expected a contract of ODCS v3.1 with the custom properties of a Cupel source', retryable: false },
  CUP_COMMIT_CONFLICT: { message: 'expected the table to be as it was read; another writer was first', retryable: true },
  CUP_COMMIT_UNKNOWN: { message: 'expected the catalog to say whether the commit took effect', retryable: true },
  CUP_CATALOG_REFUSED: { message: 'expected the Iceberg REST catalog to accept the request', retryable: false },
  CUP_CATALOG_UNAVAILABLE: { message: 'expected an answer from the Iceberg REST catalog', retryable: true },
  CUP_DELTA_INVALID: { message: 'expected deltas with non-null, unique keys in their buckets', retryable: false },
  CUP_OBJECT_NOT_FOUND: { message: 'expected the object to exist', retryable: false },
  CUP_OBJECT_URI_INVALID: { message: 'expected a URI of the form gs://bucket/name', retryable: false },
  CUP_SNAPSHOT_NOT_FOUND: { message: 'expected a snapshot of the table', retryable: false },
  CUP_TABLE_UNSUPPORTED: { message: 'expected an Iceberg v2 table without delete files', retryable: false },
  CUP_OBJECT_UNREADABLE: { message: 'expected an object in the format that the contract declares', retryable: false },
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
