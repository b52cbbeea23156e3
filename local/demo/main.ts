import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { DEMO_TOOLS, ensureTools } from '../../scripts/tools.ts';
import { connectResources } from '../../src/activities/connect.ts';
import { isPolled } from '../../src/contracts/index.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { listSources, loadContract, publishContract } from '../../src/lakehouse/contract-store.ts';
import { temporalSettings } from '../../src/temporal.ts';
import type { PipelineResult } from '../../src/workflows/pipeline.ts';
import { pipelineId, TASK_QUEUE } from '../../src/workflows/ids.ts';
import { canonicalRange } from '../../src/workflows/range.ts';
import { launchCloud } from '../launch.ts';
import type { LaunchedCloud } from '../launch.ts';
import { startUsgs } from '../usgs/server.ts';
import type { UsgsServer } from '../usgs/server.ts';
import { copyContracts } from './contract-copies.ts';
import { demoFeed } from './feed.ts';
import type { DemoFeed } from './feed.ts';
import { ingestAll, ingestLive } from './ingest.ts';
import type { Ingested } from './ingest.ts';
import { HELP, readOptions } from './options.ts';
import type { DemoOptions } from './options.ts';
import { deliverWebhooks, dropNetworks, publishReports, runRecent, untilArchived, untilRaw } from './others.ts';
import { Printer } from './print.ts';
import { countLineage, exportAll, layers } from './report.ts';
import type { Report, ReportResources, StreamedReport } from './report.ts';
import { Streaming } from './streaming.ts';
import type { StreamingStage } from './streaming.ts';

const SOURCE = 'earthquakes';
const HOUR = 3_600_000;

/** Seconds of each stage on a warm machine of two cores. */
const BUDGET = {
  startup: 20,
  ingest: 45,
  pipeline: 15,
  materialize: 10,
  files: 20,
  apps: 20,
  webhooks: 20,
  stream: 30,
  parity: 15,
};

interface Running {
  cloud: LaunchedCloud;
  client: Client;
  resources: ReportResources;
  contract: CompiledContract;
  others: CompiledContract[];
}

async function start(state: string, feed: DemoFeed, usgs: UsgsServer | undefined, streamed: boolean): Promise<Running> {
  const contracts = await copyContracts(state, feed.polls?.map((poll) => poll.feed) ?? [], streamed);
  const endpoints = usgs ? ['--http-endpoints', `earthquake.usgs.gov=${usgs.url}`] : [];
  const cloud = await launchCloud(state, ['--contracts', contracts, ...endpoints]);
  Object.assign(process.env, cloud.env);
  const { namespace, ...connection } = temporalSettings();
  const client = new Client({ connection: await Connection.connect(connection), namespace });
  const resources = await connectResources(readEnvironment(), client);
  const contract = await loadContract(contracts, SOURCE);
  await publishContract(resources.store, resources.environment.buckets.ops, contract);
  const names = (await listSources(contracts)).filter((name) => name !== SOURCE);
  const others = await Promise.all(names.map((name) => loadContract(contracts, name)));
  return { cloud, client, resources, contract, others };
}

/** Polls, and streams what polls publish up to Silver meanwhile, unless the demo is to go without. */
async function ingestAndStream(
  running: Running,
  feed: DemoFeed,
  usgs: UsgsServer | undefined,
  print: Printer,
  stage: StreamingStage | undefined,
): Promise<{ ingested: Ingested; streamed?: StreamedReport; seconds: Record<string, number> }> {
  const began = print.seconds;
  const streaming = stage && (await Streaming.start(stage));
  const ingested = await ingest(running, feed, usgs, print, () => streaming?.midway());
  const seconds = { ingest: print.seconds - began };
  printIngest(print, seconds.ingest, ingested);
  if (!streaming) return { ingested, seconds };
  const { result, seconds: rest } = await timed(print, () => streaming.finish(ingested.published));
  const { messages, batches, launches, kills } = result;
  const text = `${messages} messages in ${batches} batches: each record three times, backwards, two rules versions, ${kills} kills, ${launches} jobs`;
  print.stage('stream', rest, BUDGET.stream, text);
  const { result: parity, seconds: proof } = await timed(print, () => streaming.prove());
  const proved = `${parity.keys} keys recomputed from ${parity.objects} objects in batch, ${parity.differences} differ in any column`;
  print.stage('parity', proof, BUDGET.parity, proved);
  return { ingested, streamed: { ...result, parity }, seconds: { ...seconds, stream: rest, parity: proof } };
}

async function ingest(
  { client, contract }: Running,
  feed: DemoFeed,
  usgs: UsgsServer | undefined,
  print: Printer,
  midway: () => void,
): Promise<Ingested> {
  if (!feed.polls || !usgs)
    return ingestLive(
      client,
      contract.feeds.filter(isPolled).map(({ name }) => name),
      contract.hash,
      Date.now(),
    );
  const count = feed.polls.length;
  return ingestAll(client, usgs, feed.polls, contract.hash, (done) => {
    print.progress(`ingest ${done} of ${count} polls`);
    if (done === Math.ceil(count / 4)) midway();
  });
}

function stageOf({ client, resources, contract }: Running, stateDirectory: string): StreamingStage {
  return { client, resources, contract, stateDirectory, contractsDirectory: path.join(stateDirectory, 'contracts') };
}

/** The hours from the least to the greatest `generated`. */
function hoursOf(feed: DemoFeed): { from: string; to: string } {
  const times = feed.polls?.map((poll) => poll.generated) ?? [Date.now()];
  const from = Math.floor(times.reduce((a, b) => Math.min(a, b)) / HOUR) * HOUR;
  const to = (Math.floor(times.reduce((a, b) => Math.max(a, b)) / HOUR) + 1) * HOUR;
  return canonicalRange({ from: new Date(from).toISOString(), to: new Date(to).toISOString() });
}

async function runPipeline({ client }: Running, feed: DemoFeed): Promise<PipelineResult> {
  const { from, to } = hoursOf(feed);
  const workflowId = pipelineId(SOURCE, from, to);
  return (await client.workflow.execute('pipeline', {
    workflowId,
    taskQueue: TASK_QUEUE,
    args: [{ source: SOURCE, from, to }],
  })) as PipelineResult;
}

function printIngest(print: Printer, seconds: number, ingested: Ingested): void {
  const each = Math.round((seconds * 1000) / Math.max(1, ingested.polls));
  const text = `${ingested.polls} polls (${each} ms each), ${ingested.alreadyLanded} landed before, ${ingested.published} of ${ingested.records} records published`;
  print.stage('ingest', seconds, BUDGET.ingest, text);
}

function printPipeline(print: Printer, { plan, batches, gold, refusedObjects, stageMs }: PipelineResult): void {
  const skipped = `${plan.donePartitions} of ${plan.partitions} partitions done before, ${plan.missingSlots} slots missing`;
  print.stage(
    'validate',
    stageMs.validate / 1000,
    BUDGET.pipeline,
    `${plan.objects} objects, ${skipped}, ${refusedObjects} refused`,
  );
  print.stage(
    'process',
    stageMs.process / 1000,
    BUDGET.pipeline,
    `${batches.committed} batches committed, ${batches.unchanged} unchanged, ${batches.rows} rows`,
  );
  print.stage(
    'materialize',
    stageMs.materialize / 1000,
    BUDGET.materialize,
    `Gold ${gold.state}${gold.asOf ? `, Silver as of ${gold.asOf}` : ''}`,
  );
}

async function runLine(
  running: Running,
  feed: DemoFeed,
  usgs: UsgsServer | undefined,
  print: Printer,
  startup: number,
  stage: StreamingStage | undefined,
): Promise<Report> {
  const { ingested, streamed, seconds: first } = await ingestAndStream(running, feed, usgs, print, stage);
  const result = await runPipeline(running, feed);
  printPipeline(print, result);
  const others = await runOthers(running, print);
  const { objects, ...found } = await layers(running.resources, [running.contract, ...running.others]);
  const { validate, process: processing, materialize } = result.stageMs;
  const seconds = {
    startup,
    ...first,
    validate: validate / 1000,
    process: processing / 1000,
    materialize: materialize / 1000,
    ...others,
  };
  return {
    feed: feed.title,
    ...(streamed ? { streamed } : {}),
    bronze: { objects, alreadyLanded: ingested.alreadyLanded },
    ...found,
    lineage: { events: await countLineage(running.cloud.env.CUPEL_OPENLINEAGE_FILE ?? '') },
    stages: Object.fromEntries(Object.entries(seconds).map(([name, value]) => [name, { seconds: value }])),
    urls: running.cloud.urls,
  };
}

async function timed<T>(print: Printer, work: () => Promise<T>): Promise<{ result: T; seconds: number }> {
  const began = print.seconds;
  const result = await work();
  return { result, seconds: print.seconds - began };
}

/** The other ways in: a dropped file, an app's messages, signed webhooks; each up to Silver and Gold. */
async function runOthers(
  { client, resources, contract, others, cloud }: Running,
  print: Printer,
): Promise<Record<string, number>> {
  const files = await timed(print, () => dropNetworks(client, resources));
  const { records, refused } = files.result.landed.description;
  print.stage(
    'files',
    files.seconds,
    BUDGET.files,
    `a CSV file of ${records} records, ${refused} in quarantine, ${files.result.state}`,
  );
  const apps = await timed(print, async () => {
    const felt = others.find(({ source }) => source === 'felt_reports');
    if (!felt) throw new Error('expected the contract felt_reports');
    const reports = await publishReports(await resources.pubsub(), resources, contract, felt);
    await untilRaw(resources, 'felt_reports', 'report_id', reports);
    if (reports) await untilArchived(resources, 'felt_reports');
    return { reports, run: await runRecent(client, 'felt_reports') };
  });
  const { reports, run } = apps.result;
  print.stage(
    'apps',
    apps.seconds,
    BUDGET.apps,
    `${reports} messages published, ${run.batches.rows} rows in an Avro log`,
  );
  const { CUPEL_FUNCTION_INGEST_URL: url = '', CUPEL_WEBHOOK_SECRETS_GITHUB_EVENTS: secret = '' } = cloud.env;
  const webhooks = await timed(print, async () => {
    const delivered = await deliverWebhooks(url, secret);
    await untilRaw(resources, 'github_events', "JSON_VALUE(data, '$.delivery_id')", delivered.taken);
    return { ...delivered, run: await runRecent(client, 'github_events') };
  });
  const { taken, duplicates, run: events } = webhooks.result;
  print.stage(
    'webhooks',
    webhooks.seconds,
    BUDGET.webhooks,
    `${taken} deliveries taken, ${duplicates} duplicates, ${events.batches.rows} rows in a Parquet log`,
  );
  return { files: files.seconds, apps: apps.seconds, webhooks: webhooks.seconds };
}

function printReport(print: Printer, report: Report): void {
  print.line('');
  print.line(`Bronze       ${report.bronze.objects} objects, ${report.quarantine.records} records in quarantine`);
  for (const [name, { kind, rows, digest, snapshots }] of Object.entries(report.silver)) {
    const what = { iceberg: `${snapshots} snapshots`, 'append-log': 'a log', bigquery: 'made by Dataform' }[kind];
    print.line(`Silver       silver.${name}: ${rows} rows, ${what}, digest ${digest}`);
  }
  for (const [name, { rows }] of Object.entries(report.gold)) print.line(`Gold         gold.${name}: ${rows} rows`);
  print.line(`Lineage      ${report.lineage.events} events of OpenLineage`);
}

async function writeReport(file: string, report: Report): Promise<void> {
  await mkdir(path.dirname(path.resolve(file)), { recursive: true });
  await writeFile(file, `${JSON.stringify(report, null, 2)}\n`);
}

async function demo(options: DemoOptions): Promise<void> {
  const print = new Printer();
  await ensureTools(DEMO_TOOLS, (line) => print.line(line));
  const setUp = print.seconds;
  const feed = await demoFeed(options);
  print.line(`Feed: ${feed.title}`);
  const state = path.resolve(options.state ?? (await mkdtemp(path.join(tmpdir(), 'cupel-demo-'))));
  const usgs = feed.polls ? await startUsgs({ polls: feed.polls }) : undefined;
  let running: Running | undefined;
  let done = false;
  const interrupted = (): void => {
    print.line('interrupted: stopping every server');
    void Promise.resolve(running?.cloud.stop())
      .then(() => (options.state ? undefined : rm(state, { recursive: true, force: true, maxRetries: 20 })))
      .finally(() => process.exit(130));
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    running = await start(state, feed, usgs, options.stream);
    const startup = print.seconds - setUp;
    print.stage('startup', startup, BUDGET.startup, `Temporal Web UI ${running.cloud.urls.temporal}`);
    const report = await runLine(
      running,
      feed,
      usgs,
      print,
      startup,
      options.stream ? stageOf(running, state) : undefined,
    );
    const contracts = [running.contract, ...running.others];
    if (options.export) await exportAll(running.resources, contracts, path.resolve(options.export));
    if (options.report) await writeReport(options.report, report);
    printReport(print, report);
    done = true;
  } finally {
    await usgs?.stop();
    if (running && done && options.keep) running.cloud.keep();
    else await running?.cloud.stop();
    if (!options.state && !(done && options.keep)) await rm(state, { recursive: true, force: true, maxRetries: 20 });
  }
  if (options.keep) {
    print.line('');
    for (const [name, url] of Object.entries(running.cloud.urls)) print.line(`${name.padEnd(12)} ${url}`);
    print.line(`All of it runs on; end it with: npx cupel local down --state ${state}`);
  }
  print.line(`Done in ${print.seconds.toFixed(1)} s.`);
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options) await demo(options);
  else process.stdout.write(HELP);
  // gRPC channels of clients may hold the loop open; what was printed must have left first.
  process.stdout.write('', () => process.exit(0));
} catch (error) {
  process.stderr.write(`demo: ${(error as Error).message}\n`);
  for (let cause = (error as Error).cause; cause instanceof Error; cause = cause.cause)
    process.stderr.write(`  because: ${cause.message}\n`);
  process.exit(1);
}
