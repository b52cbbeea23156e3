import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { PubSub } from '@google-cloud/pubsub';
import { PROJECT } from '../../scripts/tools.ts';
import { exportTable } from '../../src/lakehouse/committer/index.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { CupelClient } from '../../src/sdk/index.ts';
import type { FileArrivalResult } from '../../src/workflows/file-arrival.ts';
import { fileArrivalId, pipelineId, TASK_QUEUE } from '../../src/workflows/ids.ts';
import type { PipelineResult } from '../../src/workflows/pipeline.ts';
import { canonicalRange } from '../../src/workflows/range.ts';
import { feltReports } from '../felt/reports.ts';
import type { FeltEarthquake } from '../felt/reports.ts';
import { deliver, simulateDeliveries } from '../github/deliveries.ts';
import type { ReportResources } from './report.ts';

const HOUR = 3_600_000;
const DELIVERIES = 60;
const REPORTS = 120;

/** Between two looks, and the longest wait for what comes by itself. */
const LOOK_MS = 200;
const WAIT_MS = 30_000;

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + WAIT_MS; ;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`${what} did not come within ${WAIT_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** A legacy system drops a file: its finalize event starts the workflow that lands and processes it. */
export async function dropNetworks(
  client: Client,
  { store, environment }: ReportResources,
): Promise<FileArrivalResult> {
  const name = `networks/files/demo/${Date.now()}.csv`;
  const { inbox: bucket } = environment.buckets;
  await store.create(
    `gs://${bucket}/${name}`,
    await readFile(path.join(PROJECT, 'local/demo/networks.csv')),
    'text/csv',
  );
  const generation = (await store.stat(`gs://${bucket}/${name}`))?.generation ?? '';
  const handle = client.workflow.getHandle(fileArrivalId({ bucket, name, generation }));
  await until('the workflow of the dropped file', () =>
    handle.describe().catch((error: unknown) => {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }),
  );
  return (await handle.result()) as FileArrivalResult;
}

/** GitHub delivers, out of order and some twice, to the function `ingest`. */
export async function deliverWebhooks(url: string, secret: string): Promise<{ taken: number; duplicates: number }> {
  const deliveries = simulateDeliveries(DELIVERIES);
  const sent = [...deliveries.slice(0, 10), ...deliveries.toReversed()];
  let duplicates = 0;
  for (const delivery of sent) {
    const answer = await deliver(url, delivery, secret);
    if (!answer.ok) throw new Error(`ingest answered ${answer.status}: ${await answer.text()}`);
    if (((await answer.json()) as { duplicate: boolean }).duplicate) duplicates += 1;
  }
  return { taken: sent.length - duplicates, duplicates };
}

/** Earthquakes that people may have felt. */
async function someEarthquakes(resources: ReportResources, contract: CompiledContract): Promise<FeltEarthquake[]> {
  for await (const text of exportTable(resources, contract))
    return text
      .split('\n')
      .slice(0, REPORTS / 4)
      .filter(Boolean)
      .map((line) => {
        const { event_time, ...of } = JSON.parse(line) as FeltEarthquake & { event_time: string };
        return { ...of, time: Date.parse(event_time) };
      });
  return [];
}

/** People report, from an app with the SDK, what they felt; the same reports each time, by the same ids. */
export async function publishReports(
  pubsub: PubSub,
  resources: ReportResources,
  earthquakes: CompiledContract,
  feltReportsContract: CompiledContract,
): Promise<number> {
  const felt = await someEarthquakes(resources, earthquakes);
  const reports = felt.length ? feltReports(felt, REPORTS) : [];
  const client = await CupelClient.open({ contracts: [feltReportsContract], pubsub });
  const sent = reports.map((report, index) =>
    client.publish(feltReportsContract.source, report, { id: report.report_id, carrierOrder: BigInt(index) }),
  );
  await client.close();
  await Promise.all(sent);
  return sent.length;
}

/** Waits until a table of Bronze in BigQuery holds so many records. */
export async function untilRaw(
  { bigquery }: ReportResources,
  table: string,
  ids: string,
  count: number,
): Promise<void> {
  await until(`${count} rows in raw.${table}`, async () => {
    const [job] = await bigquery.createQueryJob({ query: `SELECT COUNT(DISTINCT ${ids}) AS n FROM raw.${table}` });
    const [[row]] = await job.getQueryResults();
    return Number((row as { n: number }).n) >= count ? true : undefined;
  });
}

/** Waits until Bronze holds an archived object of the source. */
export async function untilArchived({ store, environment }: ReportResources, source: string): Promise<void> {
  await until(`the archive of ${source}`, async () => {
    for await (const _ of store.list(`gs://${environment.buckets.bronze}/${source}/_sub/`)) return true;
    return undefined;
  });
}

/** Processes what came in the last two hours. */
export async function runRecent(client: Client, source: string): Promise<PipelineResult> {
  const hour = Math.floor(Date.now() / HOUR) * HOUR;
  const { from, to } = canonicalRange({
    from: new Date(hour - HOUR).toISOString(),
    to: new Date(hour + HOUR).toISOString(),
  });
  const args = [{ source, from, to }];
  return (await client.workflow.execute('pipeline', {
    workflowId: pipelineId(source, from, to),
    taskQueue: TASK_QUEUE,
    args,
  })) as PipelineResult;
}
