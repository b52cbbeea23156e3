import type { DuckDBValue } from '@duckdb/node-api';
import { orderColumns, systemColumns } from '../../contracts/index.ts';
import type { Column, CompiledContract } from '../../contracts/index.ts';
import { formatTimestamp } from '../format.ts';
import { identifier } from '../committer/scratch.ts';
import type { JsonValue } from './types.ts';

/** Columns of provenance: shown, and never compared. */
const PROVENANCE = new Set(['_record_id', '_bronze_object', '_contract']);

/** Columns of a table that say where a row comes from. */
export const provenanceColumns = (contract: CompiledContract): Column[] =>
  systemColumns(contract).filter(({ name }) => PROVENANCE.has(name));

/**
 * Columns that are compared: the contract's, and of the system's those of the law. Of a source without version ties the carrier's
 * order is none of the law: which of two sightings of a version it comes from depends on what came first.
 */
export function comparedColumns(contract: CompiledContract): Column[] {
  const law = new Set(['_first_version', '_tombstone', '_hour', ...orderColumns(contract)]);
  return [...contract.columns, ...systemColumns(contract).filter(({ name }) => law.has(name))];
}

/** A column as it leaves DuckDB: times as microseconds, bytes as hex, so that nothing is lost. */
export function selected(alias: string, { name, type }: Pick<Column, 'name' | 'type'>): string {
  const column = `${alias}.${identifier(name)}`;
  if (type === 'timestamptz') return `epoch_us(${column})`;
  return type === 'binary' ? `lower(hex(${column}))` : column;
}

/** A value of {@link selected} as JSON has it. */
export function toJsonValue({ type }: Pick<Column, 'type'>, value: DuckDBValue): JsonValue {
  if (value === null) return null;
  if (type === 'timestamptz') return formatTimestamp(BigInt(value as bigint));
  // Longs are safe integers.
  return typeof value === 'bigint' ? Number(value) : (value as JsonValue);
}
