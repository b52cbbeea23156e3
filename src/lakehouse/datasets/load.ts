import { writeFile } from 'node:fs/promises';
import { googleError } from '../../gcp/errors.ts';
import { downloadDataFiles } from '../committer/download-data-files.ts';
import { identifier, literal, readParquet } from '../committer/scratch.ts';
import type { Scratch } from '../committer/scratch.ts';
import type { DatasetResources, DatasetSource, GoldSource, SilverSource } from './source.ts';
import { keySql, splitSql } from './split.ts';
import type { SplitPercents } from './split.ts';

/** Types of BigQuery that Gold has, as DuckDB calls them. */
const DUCKDB_TYPES: Record<string, string> = {
  STRING: 'varchar',
  INTEGER: 'bigint',
  INT64: 'bigint',
  FLOAT: 'double',
  FLOAT64: 'double',
  BOOLEAN: 'boolean',
  BOOL: 'boolean',
  DATE: 'date',
  TIMESTAMP: 'timestamptz',
};

async function silverRelation(scratch: Scratch, { table, snapshot, contract }: SilverSource): Promise<string> {
  const files = await downloadDataFiles(scratch, table.schema, await table.dataFiles(snapshot));
  return `(select * from ${readParquet(contract.icebergSchema.fields, files)} where not _tombstone)`;
}

/** Values that the client wraps, such as DATE, have their text in `value`. */
const plain = (value: unknown): unknown =>
  value !== null && typeof value === 'object' && 'value' in value ? value.value : value;

async function goldRelation(
  scratch: Scratch,
  { bigquery, project }: DatasetResources,
  source: GoldSource,
): Promise<string> {
  try {
    const columns = source.columns.map(({ from }) => `\`${from}\``).join(', ');
    const [job] = await bigquery.createQueryJob({ query: `SELECT ${columns} FROM \`${project}.${source.name}\`` });
    const [rows, , answer] = await job.getQueryResults();
    const types = (answer?.schema?.fields ?? []).map(
      ({ name, type }) => `${literal(name ?? '')}: ${literal(DUCKDB_TYPES[type ?? ''] ?? 'varchar')}`,
    );
    const file = scratch.path('ndjson');
    const lines = (rows as Record<string, unknown>[]).map(
      (row) => `${JSON.stringify(row, (_, value) => plain(value))}\n`,
    );
    await writeFile(file, lines.join(''));
    return `read_json(${literal(file)}, format = 'newline_delimited', columns = {${types.join(', ')}})`;
  } catch (error) {
    throw googleError('BigQuery', `rows of ${source.name}`, error);
  }
}

/** Makes the table `dataset` in the scratch: the columns, then the split; live rows only, sorted by key. */
export async function loadDataset(
  scratch: Scratch,
  resources: DatasetResources,
  source: DatasetSource,
  splitColumn: string,
  percents: SplitPercents,
): Promise<void> {
  const relation =
    source.kind === 'silver' ? await silverRelation(scratch, source) : await goldRelation(scratch, resources, source);
  const key = keySql(source.key, (column) => `${identifier(column)}::varchar`);
  const columns = source.columns.map(({ from, name }) => `${identifier(from)} as ${identifier(name)}`);
  await scratch.run(
    `create table dataset as select ${columns.join(', ')}, ${splitSql('duckdb', key, percents)} as ${identifier(splitColumn)}
     from ${relation} order by ${source.key.map(identifier).join(', ')}`,
  );
}
