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
 * it what comes by files, webhooks and apps.
 */
export async function runLine(line: Line): Promise<LineResult> {
  const others = new Others(line);
  try {
    return await runPolled(line, others);
  } finally {
    await others.ended(); // also after a failure: nothing goes on behind the back of a cloud that stops
  }
}

async function runPolled(line: Line, others: Others): Promise<LineResult> {
  const { stages, running } = line;
  const streaming = line.streamed ? await Streaming.start(running) : undefined;
  const ingested = await stages.run('ingest', () => ingest(line, () => streaming?.midway()), ingestText);
  if (!streaming) {
    await processPolled(line);
    others.start(runFiles, runWebhooks, runReports);
    await others.all();
    return { ingested };
  }
  const finish = () => streaming.finish(ingested.published, () => others.start(runFiles, runWebhooks));
  const streamed = await stages.run('stream', finish, streamText);
  others.start(runReports); // of earthquakes that are in Silver by now
  // Before a batch over the same records touches the table.
  const parity = await stages.run('parity', () => streaming.prove(), parityText);
  await processPolled(line);
  await others.all();
  return { ingested, streamed: { ...streamed, parity } };
}

/** The other ways in, each a stage of its own beside what is polled. */
class Others {
  readonly #line: Line;
  readonly #begun: Promise<void>[] = [];

  constructor(line: Line) {
    this.#line = line;
  }

  start(...stages: ((running: Running, stages: Stages) => Promise<void>)[]): void {
    for (const run of stages) this.#begun.push(run(this.#line.running, this.#line.stages));
    void this.ended(); // a failure shows in all(), and must not go unhandled until then
  }

  /** @throws Error of the first that failed */
  async all(): Promise<void> {
    await Promise.all(this.#begun);
  }

  /** Waits for all, whether they failed or not. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#begun);
  }
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

/** The batch over all that was polled. */
async function processPolled({ running, feed, stages }: Line): Promise<void> {
  const { from, to } = hoursOf(feed);
  const result = (await running.client.workflow.execute('pipeline', {
    workflowId: pipelineId(SOURCE, from, to),
    taskQueue: TASK_QUEUE,
    args: [{ source: SOURCE, from, to }],
  })) as PipelineResult;
  pipelineStages(stages, result);
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
