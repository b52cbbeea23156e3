import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import grpc from '@grpc/grpc-js';
import { ActivityCancellationDetails } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDataflow } from '../../local/dataflow/server.ts';
import type { DataflowServer } from '../../local/dataflow/server.ts';
import { dataflowActivities } from '../../src/activities/dataflow.ts';
import type { LaunchDataflowJob } from '../../src/activities/dataflow.ts';
import type { DataflowJob } from '../../src/activities/dataflow-jobs.ts';
import type { ActivityResources } from '../../src/activities/index.ts';
import { dataflowClients } from '../../src/gcp/clients.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import '../support/workflows.ts'; // its quiet logger

const TEMPLATE = JSON.stringify({
  image: 'test',
  metadata: { name: 'test', parameters: [{ name: 'script', regexes: ['[^]*'] }] },
});

let directory: string;
let server: DataflowServer;
let activities: ReturnType<typeof dataflowActivities>;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'cupel-test-'));
  server = await startDataflow({
    readTemplate: () => Promise.resolve(TEMPLATE),
    commandFor: (job: unknown, parameters?: Record<string, string>) => {
      const given = parameters ?? (job as { parameters: Record<string, string> }).parameters;
      return { command: process.execPath, args: ['-e', given.script ?? ''] };
    },
    logDirectory: directory,
  });
  const environment = readEnvironment({
    CUPEL_PROJECT: 'cupel-test',
    CUPEL_DATAFLOW_ENDPOINT: server.endpoint,
    CUPEL_POLL_INTERVAL_MS: '20',
  });
  activities = dataflowActivities({ environment, dataflow: await dataflowClients(environment) } as ActivityResources);
});
afterAll(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true, maxRetries: 20 });
});

let works = 0;
const spec = (script: string, run = 'run'): LaunchDataflowJob => ({
  work: `work-${(works += 1)}`,
  run,
  namePrefix: 'test',
  parameters: { script },
});
const attempt = (number: number) => new MockActivityEnvironment({ attempt: number });
const launch = (number: number, of: LaunchDataflowJob) =>
  attempt(number).run(activities.launchDataflowJob, of) as Promise<DataflowJob>;

const QUICK = `console.log('{"metric":"rows","value":42,"namespace":"t","step":"s"}')`;
const FOREVER = 'setInterval(() => {}, 1000)';

test('a job that ends well gives its metrics', async () => {
  const job = await launch(1, spec(QUICK));
  expect(await attempt(1).run(activities.awaitDataflowJob, job)).toEqual({ rows: 42 });
});

test('a launch whose answer was lost is adopted by the next attempt, also when the job has ended', async () => {
  const wanted = spec(QUICK);
  server.faults.failNext('launchFlexTemplate', 'after', grpc.status.UNAVAILABLE);
  await expect(launch(1, wanted)).rejects.toMatchObject({ code: 'CUP_GOOGLE_UNAVAILABLE' });
  const second = await launch(2, wanted);
  await attempt(1).run(activities.awaitDataflowJob, second);
  expect(await launch(3, wanted)).toEqual(second);
});

test('the same work that runs already is joined', async () => {
  const wanted = spec(FOREVER);
  const first = await launch(1, wanted);
  expect(await launch(1, { ...wanted, run: 'another run' })).toEqual(first);
});

test('a failed job is an error with its last lines, and is of no use to wait for again', async () => {
  const job = await launch(1, spec(`console.error('the reason'); process.exit(3)`));
  const failed = attempt(1).run(activities.awaitDataflowJob, job);
  await expect(failed).rejects.toMatchObject({ code: 'CUP_DATAFLOW_JOB_FAILED', retryable: false });
  await expect(failed).rejects.toThrow('the reason');
});

test('parameters that the template refuses are of no use to send again', async () => {
  const wrong = { ...spec(QUICK), parameters: { scrypt: 'x' } };
  await expect(launch(1, wrong)).rejects.toMatchObject({ code: 'CUP_GOOGLE_REFUSED' });
});

test('a failure to look is no failure of the job', async () => {
  const marker = path.join(directory, 'go');
  const wait = `const fs = require('fs'); const t = setInterval(() => { if (fs.existsSync(${JSON.stringify(marker)})) { clearInterval(t); } }, 10)`;
  const job = await launch(1, spec(wait));
  server.faults.failNext('getJob', 'before', grpc.status.UNAVAILABLE);
  const waiting = attempt(1).run(activities.awaitDataflowJob, job);
  await writeFile(marker, '');
  expect(await waiting).toEqual({});
});

test('a worker that is stopped leaves the remote job to the next one', async () => {
  const job = await launch(1, spec(FOREVER));
  const stopping = attempt(1);
  stopping.on('heartbeat', (beat: { state?: string }) => {
    if (beat.state !== 'JOB_STATE_RUNNING') return;
    stopping.cancel('WORKER_SHUTDOWN', new ActivityCancellationDetails({ workerShutdown: true }));
  });
  await expect(stopping.run(activities.awaitDataflowJob, job)).rejects.toMatchObject({ code: 'CUP_WORKER_STOPPING' });
  const next = attempt(2);
  const seen: string[] = [];
  next.on('heartbeat', (beat: { state?: string }) => {
    seen.push(beat.state ?? '');
    next.cancel();
  });
  await expect(next.run(activities.awaitDataflowJob, job)).rejects.toThrow('ended as JOB_STATE_CANCELLED');
  expect(seen[0]).toBe('JOB_STATE_RUNNING');
});

test('cancelling stops the remote job and waits until it has stopped', async () => {
  const job = await launch(1, spec(FOREVER));
  const environment = attempt(1);
  const beats: string[] = [];
  environment.on('heartbeat', (beat: { state?: string }) => {
    beats.push(beat.state ?? '');
    if (beat.state === 'JOB_STATE_RUNNING') environment.cancel();
  });
  await expect(environment.run(activities.awaitDataflowJob, job)).rejects.toThrow('ended as JOB_STATE_CANCELLED');
  expect(beats.at(-1)).toBe('JOB_STATE_CANCELLED');
});
