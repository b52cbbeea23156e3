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

/** Publishes again and again; while a server is down nobody can. */
async function publishUntil(over: () => boolean): Promise<number> {
  let rounds = 0;
  while (!over()) {
    try {
      const running = await cloud.connect();
      await running.publishBackwards();
      await running.close();
      rounds += 1;
    } catch {
      await delay(500); // somebody was killed
    }
  }
  return rounds;
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
    const [kills, rounds] = await Promise.all([killUntil(over), publishUntil(over)]);
    console.log(`seed ${SEED}: ${JSON.stringify(kills)} killed, all records published ${rounds} times`);
    const running = await cloud.connect();
    const published = await running.publishBackwards();
    await running.stream.untilSettled((await running.stream.messages()) + published);
    console.log(await running.stream.finish(running.pubsub));
    await running.close();
    expect(await cloud.digest()).toEqual(before);
    await cloud.parity();
  },
  SECONDS * 1000 + 900_000,
);
