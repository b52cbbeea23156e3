import { isPolled } from '../../src/contracts/index.ts';
import { pipelineId, TASK_QUEUE } from '../../src/workflows/ids.ts';
import type { PipelineResult } from '../../src/workflows/pipeline.ts';
import { canonicalRange } from '../../src/workflows/range.ts';
import type { UsgsServer } from '../usgs/server.ts';
import type { DemoFeed } from './feed.ts';
import { ingestAll, ingestLive } from './ingest.ts';
import type { Ingested } from './ingest.ts';
import { runFiles, runReports, runWebhooks } from './other-stages.ts';
import type { Printer } from './print.ts';
import type { StreamedReport } from './report.ts';
import { SOURCE } from './running.ts';
import type { Running } from './running.ts';
import type { Stages } from './stages.ts';
import { Streaming } from './streaming.ts';

const HOUR = 3_600_000;

/** What the demo works with. */
export interface Line {
  running: Running;
  feed: DemoFeed;
  /** Undefined: the real site is polled. */
  usgs: UsgsServer | undefined;
  print: Printer;
  stages: Stages;
  /** Whether what polls publish is streamed as well. */
  streamed: boolean;
}

/** What came of the sources. */
export interface LineResult {
  ingested: Ingested;
  streamed?: StreamedReport;
}

/**
 * The whole demo between its start and its report: polls and the stream of what they publish, then the batch over the same, and beside
 * it what comes by files, apps and webhooks.
 */
export async function runLine(line: Line): Promise<LineResult> {
  const { stages, running } = line;
  const streaming = line.streamed ? await Streaming.start(running) : undefined;
  const ingested = await stages.run('ingest', () => ingest(line, () => streaming?.midway()), ingestText);
  const streamed = streaming && (await stages.run('stream', () => streaming.finish(ingested.published), streamText));
  const batch = proveAndProcess(line, streaming);
  // Whoever reports what they felt needs earthquakes in Silver; with them, all that comes in is independent of each other.
  if (!streaming) await batch;
  const parity = await withOthers(
    batch,
    runFiles(running, stages),
    runReports(running, stages),
    runWebhooks(running, stages),
  );
  return { ingested, ...(streamed && parity ? { streamed: { ...streamed, parity } } : {}) };
}

/** Waits for all, also where one fails: nothing goes on behind the back of a cloud that stops. */
async function withOthers<T>(first: Promise<T>, ...others: Promise<void>[]): Promise<T> {
  await Promise.allSettled([first, ...others]);
  await Promise.all(others);
  return first;
}

async function ingest({ running, feed, usgs, print }: Line, midway: () => void): Promise<Ingested> {
  const { client, contract } = running;
  if (!feed.polls || !usgs) {
    const feeds = contract.feeds.filter(isPolled).map(({ name }) => name);
    return ingestLive(client, feeds, contract.hash, Date.now());
  }
  const count = feed.polls.length;
  return ingestAll(client, usgs, feed.polls, contract.hash, (done) => {
    print.progress(`ingest ${done} of ${count} polls`);
    if (done === Math.ceil(count / 4)) midway();
  });
}

function ingestText({ polls, alreadyLanded, published, records }: Ingested, seconds: number): string {
  const each = Math.round((seconds * 1000) / Math.max(1, polls));
  return `${polls} polls (${each} ms each), ${alreadyLanded} landed before, ${published} of ${records} records published`;
}

function streamText({ messages, batches, kills, launches }: Omit<StreamedReport, 'parity'>): string {
  return `${messages} messages in ${batches} batches: each record three times, backwards, two rules versions, ${kills} kills, ${launches} jobs`;
}

/** The stream's table is proved before a batch over the same records touches it. */
async function proveAndProcess(
  { running, feed, stages }: Line,
  streaming: Streaming | undefined,
): Promise<StreamedReport['parity'] | undefined> {
  const parity = streaming && (await stages.run('parity', () => streaming.prove(), parityText));
  pipelineStages(stages, await runPipeline(running, feed));
  return parity;
}

function parityText({ keys, objects, differences }: StreamedReport['parity']): string {
  return `${keys} keys recomputed from ${objects} objects in batch, ${differences} differ in any column`;
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
  return (await client.workflow.execute('pipeline', {
    workflowId: pipelineId(SOURCE, from, to),
    taskQueue: TASK_QUEUE,
    args: [{ source: SOURCE, from, to }],
  })) as PipelineResult;
}

function pipelineStages(stages: Stages, { plan, batches, gold, refusedObjects, stageMs }: PipelineResult): void {
  const skipped = `${plan.donePartitions} of ${plan.partitions} partitions done before, ${plan.missingSlots} slots missing`;
  stages.ended('validate', stageMs.validate / 1000, `${plan.objects} objects, ${skipped}, ${refusedObjects} refused`);
  const { committed, unchanged, rows } = batches;
  stages.ended(
    'process',
    stageMs.process / 1000,
    `${committed} batches committed, ${unchanged} unchanged, ${rows} rows`,
  );
  const asOf = gold.asOf ? `, Silver as of ${gold.asOf}` : '';
  stages.ended('materialize', stageMs.materialize / 1000, `Gold ${gold.state}${asOf}`);
}
