import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BUCKETS, TOPICS } from '../../../local/buckets.ts';
import { tableName } from '../../../src/contracts/index.ts';
import { cpuOf } from '../../meter/proc.ts';
import type { Trial, TrialSetting } from '../contender.ts';
import { latenciesOfRows } from '../latencies.ts';
import type { Latencies } from '../latencies.ts';
import { publishLoad } from '../load/publisher.ts';
import type { PublishedLoad, Target } from '../load/publisher.ts';
import { MemoryWatch } from '../memory.ts';
import { countOthers } from '../others.ts';
import { startStreamingLake } from './lake.ts';
import type { StreamingLake } from './lake.ts';
import { SilverWatch } from './silver-watch.ts';
import type { SeenSnapshot } from './silver-watch.ts';
import { batchTimes, stagesOf } from './stages.ts';

/** Before the load: code is compiled then, connections are open, and the table is there. */
const WARM_UP = { perSecond: 200, seconds: 5 };

const LOOK_MS = 500;

/** Milliseconds without any progress after which nothing more is waited for. */
const STALLED_MS = 90_000;

/** Waits until so many messages are settled; the job must be the one that it was. */
async function untilSettled(lake: StreamingLake, messages: number): Promise<void> {
  let [settled, changedAt] = [-1, performance.now()];
  for (;;) {
    const status = await lake.status();
    if (status.launches !== 1 || status.lastFailure)
      throw new Error(`the streaming job failed: ${status.lastFailure?.code} ${status.lastFailure?.message}`);
    if (status.messages >= messages && !status.follow.open.length) return;
    if (status.messages !== settled) [settled, changedAt] = [status.messages, performance.now()];
    if (performance.now() - changedAt > STALLED_MS)
      throw new Error(`${settled} of ${messages} messages are settled, and nothing goes on`);
    await delay(LOOK_MS);
  }
}

/** Latencies by every row of every file that became visible. */
async function rowLatencies(
  lake: StreamingLake,
  watch: SilverWatch,
  snapshots: SeenSnapshot[],
  { sent }: PublishedLoad,
): Promise<Latencies> {
  const added = await watch.addedFiles(snapshots);
  return latenciesOfRows(
    sent,
    added.map(({ uri, seenMs }) => ({ file: lake.fileOf(uri), seenMs })),
  );
}

async function stages(lake: StreamingLake, { contract }: TrialSetting, snapshots: SeenSnapshot[], startedMs: number) {
  const table = tableName(contract);
  const sources = {
    deltas: lake.deltas,
    table,
    fileOf: (uri: string) => lake.fileOf(uri),
    folder: `gs://${BUCKETS.ops}/_deltas/${table}`,
  };
  const times = await batchTimes(sources, snapshots);
  return stagesOf(times.filter(({ oldest }) => oldest >= startedMs));
}

function programs(lake: StreamingLake): Record<string, number> {
  const [job = 0, worker = 0] = [lake.pidOf('beam/stream.ts'), lake.pidOf('src/worker.ts')];
  return { job: cpuOf(job), worker: cpuOf(worker) };
}

/** The load on a lake that runs. */
async function underLoad(lake: StreamingLake, setting: TrialSetting): Promise<Trial> {
  const { load, contract, directory } = setting;
  const target = (name: string): Target => {
    const folder = path.join(directory, name);
    mkdirSync(folder);
    return { project: lake.env.CUPEL_PROJECT ?? '', topic: TOPICS.records, contract, env: lake.env, directory: folder };
  };
  const warm = await publishLoad(WARM_UP, target('warm-up'));
  await untilSettled(lake, warm.messages);
  const watch = new SilverWatch(lake.catalog, lake.store, contract);
  const memory = new MemoryWatch(() => lake.pidOf('beam/stream.ts'), [lake.processes]);
  const others = countOthers([lake.processes]);
  const before = programs(lake);
  const published = await publishLoad(load, target('load'));
  await untilSettled(lake, warm.messages + published.messages);
  const after = programs(lake);
  const otherCpuSeconds = others(published.cpuSeconds);
  const remembered = memory.stop();
  const snapshots = await watch.stop();
  const cpuBy = Object.fromEntries(
    Object.entries(after).map(([name, seconds]) => [name, seconds - (before[name] ?? 0)]),
  );
  return {
    name: 'cupel',
    load,
    perSecond: (published.messages * 1000) / (published.endedMs - published.startedMs),
    ...(setting.latencies ? { latencies: await rowLatencies(lake, watch, snapshots, published) } : {}),
    cpuSeconds: Object.values(cpuBy).reduce((a, b) => a + b, 0),
    cpuBy,
    otherCpuSeconds,
    memory: remembered,
    stages: await stages(lake, setting, snapshots, published.startedMs),
  };
}

/** Runs Cupel as it is: messages of a topic, the streaming job as Dataflow starts it, the workflow `stream/<source>`, the committer. */
export async function runCupel(setting: TrialSetting): Promise<Trial> {
  const lake = await startStreamingLake(setting.directory);
  try {
    return await underLoad(lake, setting);
  } finally {
    await lake.stop();
  }
}
