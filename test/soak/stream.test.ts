import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { below, pick, seeded } from '../../local/usgs/simulator/random.ts';
import { CloudStream } from '../support/cloud-stream.ts';
import { DemoFolder } from '../support/demo-run.ts';
import { somePolls, writePolls } from '../support/polls-folder.ts';

// Processes die at random while records are streamed again and again: `npm run test:soak`.

/** For how long processes are killed. */
const SECONDS = Number(process.env.CUPEL_SOAK_SECONDS ?? 600);

/** Which processes die, and when. */
const SEED = Number(process.env.CUPEL_SOAK_SEED ?? Date.now() % 1_000_000);

/** Seconds between two kills. */
const PAUSE = { least: 3, most: 12 };

/** One kill of so many is of the whole machine. */
const MACHINE_EVERY = 10;

let demos: DemoFolder;
let cloud: CloudStream;

beforeAll(async () => {
  demos = new DemoFolder(await mkdtemp(path.join(tmpdir(), 'cupel-soak-')));
  cloud = new CloudStream(demos);
  await writePolls(demos.inside('polls'), (await somePolls()).polls);
  await demos.demo('first', '--keep');
}, 300_000);
afterAll(async () => {
  await demos.down();
  await rm(demos.directory, { recursive: true, force: true, maxRetries: 20 });
}, 60_000);

/** What became of the publishing. */
const told = { rounds: 0, resumed: 0, interrupted: 0 };

/** Milliseconds between two looks at how far the stream is. */
const LOOK_MS = 500;

/** Waits until the stream has caught up, so that what waits in its subscription does not grow for as long as kills go on. */
async function caughtUp({ stream, resumeIfOpen }: Connected, settled: number, over: () => boolean): Promise<void> {
  while (!over() && (await stream.messages()) < settled) {
    if (await resumeIfOpen()) told.resumed += 1;
    await delay(LOOK_MS);
  }
}

type Connected = Awaited<ReturnType<CloudStream['connect']>>;

async function publishRounds(running: Connected, over: () => boolean): Promise<void> {
  while (!over()) {
    const before = await running.stream.messages();
    const published = await running.publishBackwards();
    told.rounds += 1;
    await caughtUp(running, before + published, over);
  }
}

/** Publishes again and again; while a server is down nobody can. */
async function publishUntil(over: () => boolean): Promise<void> {
  while (!over()) {
    let running: Connected | undefined;
    try {
      running = await cloud.connect();
      await publishRounds(running, over);
    } catch {
      told.interrupted += 1; // somebody was killed
      await delay(LOOK_MS);
    } finally {
      await running?.close();
    }
  }
}

async function killUntil(over: () => boolean): Promise<Record<string, number>> {
  const random = seeded(SEED);
  const kills: Record<string, number> = {};
  while (!over()) {
    await delay(1000 * (PAUSE.least + below(random, PAUSE.most - PAUSE.least)));
    const machine = below(random, MACHINE_EVERY) === 0;
    const name = machine ? 'all' : pick(random, cloud.processes());
    const kind = name.replace(/ \d{4}-.*$/, '');
    kills[kind] = (kills[kind] ?? 0) + 1;
    if (machine) await cloud.killMachine();
    else cloud.kill(name);
  }
  return kills;
}

test(
  'whatever dies and when: the same table',
  async () => {
    const before = await cloud.digest();
    const end = Date.now() + SECONDS * 1000;
    const over = (): boolean => Date.now() >= end;
    const [kills] = await Promise.all([killUntil(over), publishUntil(over)]);
    console.log(`seed ${SEED}: ${JSON.stringify({ ...told, kills })}`);
    expect(told.rounds).toBeGreaterThan(0);
    const running = await cloud.connect();
    await running.resumeIfOpen();
    const published = await running.publishBackwards();
    await running.stream.untilSettled((await running.stream.messages()) + published);
    console.log(await running.stream.finish(running.pubsub));
    await running.close();
    expect(await cloud.digest()).toEqual(before);
    await cloud.parity();
  },
  SECONDS * 1000 + 900_000,
);
