/**
 * A value of a row in memory: timestamps are bigint microseconds since 1970 in UTC, longs are safe integers,
 * `_record_hash` is 64 hex digits ('' until a row is sealed).
 */
export type Value = string | number | boolean | bigint | null;

/** A row of a Silver table by column name: the contract's columns, then the system columns. */
export type Row = Record<string, Value>;
