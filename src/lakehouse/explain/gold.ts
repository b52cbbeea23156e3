import type { BigQuery } from '@google-cloud/bigquery';
import type { ColumnType, CompiledContract, Row, Value } from '../../contracts/index.ts';
import { googleError, isNotFound } from '../../gcp/errors.ts';
import { formatTimestamp } from '../format.ts';
import type { Dependent } from '../gold/dependents.ts';
import type { GoldKnowledge, GoldRun } from '../gold/knowledge.ts';
import type { RowChange, SilverHistory } from './silver.ts';

/** Where in a table of Gold a row is. */
export interface GoldPlace {
  /** Column of Gold. */
  column: string;
  /** Column of the contract whose value it has. */
  from: string;
  /** The value, as text. */
  value: string;
}

/** Whether and where a row reached a table of Gold. */
export interface GoldTableReach {
  /** `<dataset>.<name>` */
  table: string;
  /** What it reads of the source, directly or through others. */
  through: string[];
  /** What BigQuery partitions it by; null for nothing. */
  partitionBy: string | null;
  /** Where the row is in it. Empty: the table does not declare that, so nothing is known but that the table was made from it. */
  place: GoldPlace[];
  /** Rows that the table has there now; null where nobody knows: no place, no value, or no table. */
  rows: number | null;
  /**
   * `yes`: the newest run read the row as Silver holds it now. `no`: it read Silver before that. `unknown`: nobody can say, such as where
   * it does not read Silver's table.
   */
  reached: 'yes' | 'no' | 'unknown';
  why: string;
}

/** What Gold knows of a row. */
export interface GoldReach {
  run: GoldRun | null;
  /** Id of the record whose row the newest run read, of those snapshots that are kept; null: none, or nobody knows. */
  readRecordId: string | null;
  tables: GoldTableReach[];
}

/** What asking Gold works with. */
export interface GoldResources {
  bigquery: BigQuery;
  knowledge: GoldKnowledge;
}

/** Label of a table that says where a row of a source is in it. */
export const labelOf = (source: string): string => `from_${source}`;

/** Reads `<column of the contract>-<column of Gold>`, more of them behind `--`. */
export function readPlaces(label: string | undefined): { from: string; column: string }[] {
  return (label ?? '').split('--').flatMap((pair) => {
    const [from, column, ...more] = pair.split('-');
    return from && column && !more.length ? [{ from, column }] : [];
  });
}

/** A value as it stands in a column of Gold; undefined: there is none. A time in a DATE is its UTC day. */
function goldValue(value: Value | undefined, type: ColumnType, goldType: string): string | undefined {
  if (value === null || value === undefined) return undefined;
  if (type !== 'timestamptz') return String(value);
  const time = formatTimestamp(value as bigint);
  return goldType === 'DATE' ? time.slice(0, 10) : time;
}

interface TableMetadata {
  schema?: { fields?: { name?: string; type?: string }[] };
}

/** Types of the columns of a table by name; undefined where it is not there. */
async function columnTypes(bigquery: BigQuery, table: string): Promise<Map<string, string> | undefined> {
  const [dataset = '', id = ''] = table.split('.');
  try {
    const [metadata] = await bigquery.dataset(dataset).table(id).getMetadata();
    return new Map(((metadata as TableMetadata).schema?.fields ?? []).map(({ name = '', type = '' }) => [name, type]));
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw googleError('BigQuery', `columns of ${table}`, error);
  }
}

async function countRows(
  bigquery: BigQuery,
  { table, name }: Dependent,
  place: GoldPlace[],
  types: ReadonlyMap<string, string>,
): Promise<number | null> {
  const conditions = place.map(({ column }, index) =>
    types.get(column) === 'TIMESTAMP'
      ? `\`${column}\` = TIMESTAMP(@v${index})`
      : `CAST(\`${column}\` AS STRING) = @v${index}`,
  );
  const params = Object.fromEntries(place.map(({ value }, index) => [`v${index}`, value]));
  const query = `SELECT COUNT(*) AS n FROM \`${name}\` WHERE ${conditions.join(' AND ')}`;
  try {
    const [job] = await bigquery.createQueryJob({ query, params });
    const [rows] = await job.getQueryResults();
    return Number((rows as { n?: unknown }[])[0]?.n ?? 0);
  } catch (error) {
    if (isNotFound(error)) return null;
    throw googleError('BigQuery', `rows of ${table}`, error);
  }
}

/** The row that a reader at a time saw, and whether that is sure: what expired between two snapshots may have been another. */
export function rowAt(history: SilverHistory, timeMs: number): { change: RowChange | undefined; sure: boolean } {
  const index = history.changes.findLastIndex(({ at }) => Date.parse(at) <= timeMs);
  const next = history.changes[index + 1];
  return { change: history.changes[index], sure: !next || next.since === 'exact' };
}

interface Reached {
  reached: GoldTableReach['reached'];
  why: string;
}

function reachedBy(silver: string, roots: string[], run: GoldRun | null, history: SilverHistory): Reached {
  if (!run) return { reached: 'unknown', why: 'the ledger knows of no run of Gold' };
  const others = roots.filter((root) => root !== silver);
  if (!roots.includes(silver))
    return { reached: 'unknown', why: `it reads ${others.join(', ')}, which BigQuery fills by itself` };
  const last = history.changes.at(-1);
  if (!last?.row) return { reached: 'no', why: 'Silver has no row' };
  if (Date.parse(run.asOf) >= Date.parse(last.at))
    return { reached: 'yes', why: `read Silver as of ${run.asOf}, after ${last.at}` };
  if (last.since === 'exact') return { reached: 'no', why: `read Silver as of ${run.asOf}, before ${last.at}` };
  return { reached: 'unknown', why: `read Silver as of ${run.asOf}, when a snapshot was current that has expired` };
}

async function reachOf(
  { bigquery, knowledge }: GoldResources,
  contract: CompiledContract,
  dependent: Dependent,
  row: Row | null,
  history: SilverHistory,
): Promise<GoldTableReach> {
  const { sink, columns, source } = contract;
  const { table, roots, partitionBy, labels } = dependent;
  const told = reachedBy(`${sink.namespace}.${sink.table}`, roots, knowledge.run, history);
  const pairs = readPlaces(labels[labelOf(source)]);
  const types = pairs.length ? await columnTypes(bigquery, table) : undefined;
  const place = pairs.flatMap(({ from, column }) => {
    const type = columns.find(({ name }) => name === from)?.type;
    const value = type && goldValue(row?.[from], type, types?.get(column) ?? '');
    return value === undefined ? [] : [{ column, from, value }];
  });
  const whole = place.length > 0 && place.length === pairs.length;
  return {
    table,
    through: roots,
    partitionBy: partitionBy ?? null,
    place,
    rows: whole && types ? await countRows(bigquery, dependent, place, types) : null,
    ...told,
  };
}

/**
 * Which tables of Gold a row reached, and where in them it is. That a table reads the source is seen in the compiled SQL; where a row of
 * the source is in it, the table declares by its label `from_<source>`.
 *
 * @param row the row as Silver holds it now; null: there is none
 */
export async function goldReach(
  resources: GoldResources,
  contract: CompiledContract,
  row: Row | null,
  history: SilverHistory,
): Promise<GoldReach> {
  const { run, tables } = resources.knowledge;
  const read = run ? rowAt(history, Date.parse(run.asOf)) : undefined;
  const recordId = read?.sure ? read.change?.row?._record_id : undefined;
  return {
    run,
    readRecordId: recordId === undefined || recordId === null ? null : String(recordId),
    tables: await Promise.all(tables.map((table) => reachOf(resources, contract, table, row, history))),
  };
}
