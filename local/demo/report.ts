import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { finished } from 'node:stream/promises';
import type { BigQuery } from '@google-cloud/bigquery';
import type { PubSub } from '@google-cloud/pubsub';
import { tableName } from '../../src/contracts/index.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import type { CupelEnvironment } from '../../src/gcp/env.ts';
import { digestTable, exportTable } from '../../src/lakehouse/committer/index.ts';
import type { CommitterResources } from '../../src/lakehouse/committer/index.ts';
import { exportGold, GOLD_TABLES, NATIVE_SILVER_TABLES } from '../../src/lakehouse/gold/export-gold.ts';
import { IcebergTable } from '../../src/lakehouse/iceberg/index.ts';
import type { ObjectStore } from '../../src/lakehouse/object-store.ts';
import type { Cloud } from '../cloud.ts';
import type { Printer } from './print.ts';

/** A table of Silver: an upsert table, a log, or one that Dataform makes in BigQuery. */
export interface SilverReport {
  kind: 'iceberg' | 'append-log' | 'bigquery';
  rows: number;
  digest: string;
  snapshots: number;
}

/** What the demo writes with --report. */
export interface Report {
  feed: string;
  bronze: { objects: number; alreadyLanded: number };
  /** By table; only an Iceberg table has snapshots. */
  silver: Record<string, SilverReport>;
  gold: Record<string, { rows: number }>;
  quarantine: { records: number };
  /** Undefined: the demo went without. */
  streamed?: StreamedReport;
  /** Events of OpenLineage in this cloud's file. */
  lineage: { events: number };
  stages: Record<string, { seconds: number }>;
  urls: Cloud['urls'];
}

/** What streaming came to, and the table as it stood before any batch over all of Bronze. */
export interface StreamedReport {
  /** Records of Bronze. */
  records: number;
  messages: number;
  batches: number;
  /** Jobs that were launched. */
  launches: number;
  /** Processes that were killed. */
  kills: number;
  rows: number;
  digest: string;
  /** What `cupel parity` found: every column of every key against a batch over all of Bronze. */
  parity: { keys: number; objects: number; differences: number };
}

/** What the tables are read with. */
export interface ReportResources extends CommitterResources {
  pubsub(): Promise<PubSub>;
  environment: CupelEnvironment;
  bigquery: BigQuery;
}

async function countObjects(store: ObjectStore, prefix: string): Promise<number> {
  let objects = 0;
  for await (const _ of store.list(prefix)) objects += 1;
  return objects;
}

async function silverOf(resources: ReportResources, contract: CompiledContract): Promise<SilverReport> {
  const { kind, namespace, table: name } = contract.sink;
  const found = await digestTable(resources, contract);
  if (kind === 'append-log') return { kind, ...found, snapshots: 0 };
  const table = await IcebergTable.load(resources.catalog, resources.store, namespace, name);
  return { kind, ...found, snapshots: table?.snapshots.length ?? 0 };
}

/** What Dataform makes of Bronze in BigQuery. */
async function nativeSilver({ bigquery }: ReportResources): Promise<(readonly [string, SilverReport])[]> {
  return Promise.all(
    NATIVE_SILVER_TABLES.map(async (table) => {
      const lines = await exportGold(bigquery, table, 'silver');
      const digest = createHash('sha256').update(lines.join('')).digest('hex');
      return [table.name, { kind: 'bigquery', rows: lines.length, digest, snapshots: 0 }] as const;
    }),
  );
}

/**
 * Looks at every layer.
 *
 * @param contracts the first one's Bronze and quarantine are counted
 */
export async function layers(
  resources: ReportResources,
  contracts: [CompiledContract, ...CompiledContract[]],
): Promise<Pick<Report, 'silver' | 'gold' | 'quarantine'> & { objects: number }> {
  const { store, environment, bigquery } = resources;
  const [contract] = contracts;
  const silver = await Promise.all(
    contracts.map(async (of) => [of.sink.table, await silverOf(resources, of)] as const),
  );
  const gold = await Promise.all(
    GOLD_TABLES.map(async (gold) => [gold.name, { rows: (await exportGold(bigquery, gold)).length }] as const),
  );
  return {
    objects: await countObjects(store, `gs://${environment.buckets.bronze}/${contract.source}/`),
    silver: Object.fromEntries([...silver, ...(await nativeSilver(resources))]),
    gold: Object.fromEntries(gold),
    quarantine: { records: await countObjects(store, `gs://${environment.buckets.quarantine}/${contract.source}/`) },
  };
}

/** Events of OpenLineage that workers have written to a file so far. */
export async function countLineage(file: string): Promise<number> {
  return (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean).length;
}

async function exportSilver(resources: ReportResources, contract: CompiledContract, directory: string): Promise<void> {
  const out = createWriteStream(path.join(directory, `${tableName(contract)}.ndjson`));
  for await (const text of exportTable(resources, contract)) out.write(text);
  out.end();
  await finished(out);
}

/** Writes each table as `<layer>.<table>.ndjson`. */
export async function exportAll(
  resources: ReportResources,
  contracts: CompiledContract[],
  directory: string,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const contract of contracts) await exportSilver(resources, contract, directory);
  for (const [layer, tables] of [['silver', NATIVE_SILVER_TABLES] as const, ['gold', GOLD_TABLES] as const])
    for (const table of tables) {
      const lines = await exportGold(resources.bigquery, table, layer);
      await writeFile(path.join(directory, `${layer}.${table.name}.ndjson`), lines.join(''));
    }
}

/** Prints what each layer holds. */
export function printReport(print: Printer, report: Report): void {
  print.line('');
  print.line(`Bronze       ${report.bronze.objects} objects, ${report.quarantine.records} records in quarantine`);
  for (const [name, { kind, rows, digest, snapshots }] of Object.entries(report.silver)) {
    const what = { iceberg: `${snapshots} snapshots`, 'append-log': 'a log', bigquery: 'made by Dataform' }[kind];
    print.line(`Silver       silver.${name}: ${rows} rows, ${what}, digest ${digest}`);
  }
  for (const [name, { rows }] of Object.entries(report.gold)) print.line(`Gold         gold.${name}: ${rows} rows`);
  print.line(`Lineage      ${report.lineage.events} events of OpenLineage`);
}
