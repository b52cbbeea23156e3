import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Report } from '../../local/demo/report.ts';
import { PROJECT } from '../../scripts/tools.ts';
import { CloudStream } from '../support/cloud-stream.ts';
import { DemoFolder } from '../support/demo-run.ts';
import { somePolls, writePolls } from '../support/polls-folder.ts';

const run = promisify(execFile);
const SILVER = 'silver.earthquakes.ndjson';

let demos: DemoFolder;
let cloud: CloudStream;
let first: Report;

beforeAll(async () => {
  demos = new DemoFolder(await mkdtemp(path.join(tmpdir(), 'cupel-stream-')));
  cloud = new CloudStream(demos);
  await writePolls(demos.inside('polls'), (await somePolls()).polls);
  await run('python3', [
    path.join(PROJECT, 'test/python/expected.py'),
    demos.inside('polls'),
    demos.inside('expected'),
  ]);
  first = await demos.demo('first', '--keep');
}, 420_000);
afterAll(async () => {
  await demos.down();
  await rm(demos.directory, { recursive: true, force: true, maxRetries: 20 });
}, 60_000);

test('streamed three times, backwards, under two rules versions and kills: the table is the one that plain Python computes', async () => {
  const { streamed } = first;
  expect(streamed?.kills).toBe(2);
  expect(streamed?.launches).toBeGreaterThan(2);
  expect(streamed?.messages).toBeGreaterThan(3 * (streamed?.records ?? Infinity));
  expect(await readFile(demos.inside(`first/${SILVER}`), 'utf8')).toBe(
    await readFile(demos.inside(`expected/${SILVER}`), 'utf8'),
  );
  // The batch over all of Bronze that came after it had nothing to change.
  expect(streamed).toMatchObject({ digest: first.silver.earthquakes?.digest, parity: { differences: 0 } });
  expect(first.quarantine.records).toBe(1);
});

test('all processes die in the middle of a stream, and what the disk holds goes on: the same table', async () => {
  const before = await cloud.digest();
  const running = await cloud.connect();
  const settled = await running.stream.messages();
  const published = await running.publishBackwards();
  await running.stream.untilSettled(settled + 1);
  await running.close();
  await cloud.killMachine();
  const again = await cloud.connect();
  await again.stream.untilSettled(settled + published);
  await again.stream.finish(again.pubsub);
  await again.close();
  expect(await cloud.digest()).toEqual(before);
  await cloud.parity();
}, 420_000);
