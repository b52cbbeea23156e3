import { createHash } from 'node:crypto';
import type { BigQuery, Job } from '@google-cloud/bigquery';
import { cupelError } from '../../errors.ts';
import { googleCode, googleError, isNotFound } from '../../gcp/errors.ts';
import type { DatasetResources, DatasetSource } from './source.ts';
import { keySql, SPLITS, splitSql } from './split.ts';
import type { Split, SplitPercents } from './split.ts';

/** Rows of each split. */
export type SplitRows = Record<Split, number>;

/** A table of BigQuery. */
interface TableName {
  project: string;
  dataset: string;
  table: string;
}

const quote = (name: string): string => `\`${name}\``;

/**
 * Reads `project.dataset.table` or `dataset.table`.
 *
 * @throws CupelError CUP_DATASET_REFUSED
 */
export function readTableName(text: string, project: string): TableName {
  const [table, dataset, inProject = project, ...more] = text.split('.').reverse();
  const named = [table, dataset].every((part) => part && /^\w+$/.test(part)) && /^[a-z0-9:-]+$/.test(inProject);
  if (!table || !dataset || !named || more.length)
    throw cupelError('CUP_DATASET_REFUSED', { expected: '[project.]dataset.table', found: text });
  return { project: inProject, dataset, table };
}

/** The rows of a source as a query of BigQuery, at the source's own time. */
export function datasetQuery(
  resources: DatasetResources,
  source: DatasetSource,
  splitColumn: string,
  percents: SplitPercents,
): string {
  const columns = source.columns.map(({ from, name }) =>
    from === name ? quote(name) : `${quote(from)} AS ${quote(name)}`,
  );
  const key = keySql(source.key, (column) => `CAST(${quote(column)} AS STRING)`);
  const split = `${splitSql('bigquery', key, percents)} AS ${quote(splitColumn)}`;
  const from =
    source.kind === 'gold'
      ? quote(`${resources.project}.${source.name}`)
      : `${quote(`${resources.project}.${resources.catalogName}.${source.name}`)} FOR SYSTEM_TIME AS OF TIMESTAMP "${source.time}" WHERE NOT _tombstone`;
  return `SELECT ${[...columns, split].join(', ')} FROM ${from}`;
}

/** What the table is now; a statement that ran once is not taken for done after somebody changed what it made. */
async function stateOf(bigquery: BigQuery, { project, dataset, table }: TableName): Promise<string> {
  try {
    const [metadata] = await bigquery.dataset(dataset, { projectId: project }).table(table).getMetadata();
    return `${metadata.etag ?? ''} ${metadata.lastModifiedTime ?? ''}`;
  } catch (error) {
    if (isNotFound(error)) return 'none';
    throw error;
  }
}

/** Starts a job under an id of what it does, or joins it: a repeat after a lost answer runs nothing twice. */
async function startOnce(bigquery: BigQuery, query: string, state: string): Promise<Job> {
  for (let attempt = 1; ; attempt += 1) {
    const jobId = `cupel_dataset_${createHash('sha256').update(`${query}\n${state}\n${attempt}`).digest('hex').slice(0, 40)}`;
    try {
      const [job] = await bigquery.createQueryJob({ query, jobId });
      return job;
    } catch (error) {
      if (googleCode(error) !== 409) throw error;
      const [job] = await bigquery.job(jobId).get();
      // One that failed is never run again under its id.
      if (!(job.metadata as { status?: { errorResult?: unknown } }).status?.errorResult) return job as Job;
    }
  }
}

/**
 * Makes the native table that Vertex AI reads as `bq://project.dataset.table`, in place of what was there.
 *
 * @param to `[project.]dataset.table`; the dataset must be there
 * @throws CupelError CUP_DATASET_REFUSED, CUP_GOOGLE_REFUSED, CUP_GOOGLE_UNAVAILABLE
 */
export async function makeNativeTable(
  resources: DatasetResources,
  source: DatasetSource,
  to: string,
  splitColumn: string,
  percents: SplitPercents,
): Promise<{ uri: string; splits: SplitRows }> {
  const { bigquery, project } = resources;
  const name = readTableName(to, project);
  const full = `${name.project}.${name.dataset}.${name.table}`;
  if (full === `${project}.${source.name}`)
    throw cupelError('CUP_DATASET_REFUSED', { expected: 'another table than the source', found: full });
  const select = datasetQuery(resources, source, splitColumn, percents);
  try {
    const job = await startOnce(
      bigquery,
      `CREATE OR REPLACE TABLE ${quote(full)} AS ${select}`,
      await stateOf(bigquery, name),
    );
    await job.getQueryResults();
    const [count] = await bigquery.createQueryJob({
      query: `SELECT ${quote(splitColumn)} AS split, COUNT(*) AS n FROM ${quote(full)} GROUP BY 1`,
    });
    const [rows] = (await count.getQueryResults()) as unknown as [{ split: string; n: number }[]];
    return { uri: `bq://${full}`, splits: splitRows(rows) };
  } catch (error) {
    throw googleError('BigQuery', `table ${full}`, error);
  }
}

/** Rows of each split from a count by split. */
export function splitRows(counts: readonly { split: unknown; n: unknown }[]): SplitRows {
  const of = (split: Split) => Number(counts.find((count) => count.split === split)?.n ?? 0);
  return Object.fromEntries(SPLITS.map((split) => [split, of(split)])) as SplitRows;
}
