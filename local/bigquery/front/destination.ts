import { ApiError } from './api-error.ts';
import type { Emulator } from './emulator.ts';
import { isToken, tokensOf } from './sql-tokens.ts';

/** A table as the API names it. */
export interface TableReference {
  projectId: string;
  datasetId: string;
  tableId: string;
}

/** The part of a query job's configuration that says where the answer goes. */
export interface QueryConfiguration {
  query?: string;
  destinationTable?: TableReference;
  createDisposition?: string;
  writeDisposition?: string;
}

type Found = 'missing' | 'empty' | 'filled';

const nameOf = ({ projectId, datasetId, tableId }: TableReference): string =>
  `\`${projectId}.${datasetId}.${tableId}\``;

/**
 * A query with a destination as the statement that writes it, since the emulator ignores destinations. What Google refuses
 * (a filled table under WRITE_EMPTY, a missing one under CREATE_NEVER) becomes a statement that the emulator refuses, so
 * that it is the job that fails. Rows are appended by position of the columns; Google goes by name.
 */
export async function intoDestination(sql: string, query: QueryConfiguration, emulator: Emulator): Promise<string> {
  const { destinationTable: destination } = query;
  const first = tokensOf(sql)[0];
  if (!destination || !['SELECT', 'WITH', 'FROM', '('].some((word) => isToken(first, word))) return sql;
  const name = nameOf(destination);
  const found = await look(destination, emulator);
  if (found === 'missing' && query.createDisposition === 'CREATE_NEVER') return `INSERT INTO ${name} ${sql}`;
  if (query.writeDisposition === 'WRITE_TRUNCATE') return `CREATE OR REPLACE TABLE ${name} AS ${sql}`;
  const insert = query.writeDisposition === 'WRITE_APPEND' ? found !== 'missing' : found === 'empty';
  return insert ? `INSERT INTO ${name} ${sql}` : `CREATE TABLE ${name} AS ${sql}`;
}

async function look(table: TableReference, emulator: Emulator): Promise<Found> {
  const known = await emulator.request('GET', `/datasets/${table.datasetId}/tables/${table.tableId}`);
  if (known.status === 404) return 'missing';
  if (known.status >= 300) throw new ApiError(known.status, 'backendError', `the emulator answered ${known.status}`);
  const query = `SELECT 1 FROM ${nameOf(table)} LIMIT 1`;
  const { totalRows } = await emulator.expect('POST', '/queries', { query, useLegacySql: false });
  return Number(totalRows) ? 'filled' : 'empty';
}
