import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { finished } from 'node:stream/promises';
import type { BigQuery } from '@google-cloud/bigquery';
import type { PubSub } from '@google-cloud/pubsub';
import type { CompiledContract } from '../../src/contracts/index.ts';
import type { CupelEnvironment } from '../../src/gcp/env.ts';
import { digestTable, exportTable, tableName } from '../../src/lakehouse/committer/index.ts';
import type { CommitterResources } from '../../src/lakehouse/committer/index.ts';
import { exportGold, GOLD_TABLES } from '../../src/lakehouse/gold/export-gold.ts';
import { IcebergTable } from '../../src/lakehouse/iceberg/index.ts';
import type { ObjectStore } from '../../src/lakehouse/object-store.ts';
import type { Cloud } from '../cloud.ts';

/** What the demo writes with --report. */
export interface Report {
  feed: string;
  bronze: { objects: number; alreadyLanded: number };
  /** By table; a log has no snapshots. */
  silver: Record<string, { rows: number; digest: string; snapshots: number }>;
  gold: Record<string, { rows: number }>;
  quarantine: { records: number };
  /** Undefined: the demo went without. */
  streamed?: StreamedReport;
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

async function silverOf(resources: ReportResources, contract: CompiledContract): Promise<Report['silver'][string]> {
  const { kind, namespace, table: name } = contract.sink;
  const found = await digestTable(resources, contract);
  if (kind === 'append-log') return { ...found, snapshots: 0 };
  const table = await IcebergTable.load(resources.catalog, resources.store, namespace, name);
  return { ...found, snapshots: table?.snapshots.length ?? 0 };
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
    silver: Object.fromEntries(silver),
    gold: Object.fromEntries(gold),
    quarantine: { records: await countObjects(store, `gs://${environment.buckets.quarantine}/${contract.source}/`) },
  };
}

/** Writes each table as `<layer>.<table>.ndjson`. */
export async function exportAll(
  resources: ReportResources,
  contract: CompiledContract,
  directory: string,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const out = createWriteStream(path.join(directory, `${tableName(contract)}.ndjson`));
  for await (const text of exportTable(resources, contract)) out.write(text);
  out.end();
  await finished(out);
  for (const gold of GOLD_TABLES) {
    await writeFile(
      path.join(directory, `gold.${gold.name}.ndjson`),
      (await exportGold(resources.bigquery, gold)).join(''),
    );
  }
}
