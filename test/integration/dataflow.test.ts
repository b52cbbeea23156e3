import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  FlexTemplatesServiceClient,
  JobsV1Beta3Client,
  MessagesV1Beta3Client,
  MetricsV1Beta3Client,
} from '@google-cloud/dataflow';
import { googleAuthLibrary, grpc } from 'google-gax';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startDataflow } from '../../local/dataflow/server.ts';
import type { DataflowServer } from '../../local/dataflow/server.ts';

const WHERE = { projectId: 'cupel-test', location: 'us-central1' };

/** A template whose image is the script that its parameter `script` holds. */
const SPEC = {
  image: 'script',
  metadata: {
    name: 'script',
    parameters: [{ name: 'script' }, { name: 'chunk', isOptional: true, regexes: ['gs://.+'] }],
  },
};
const TEMPLATES: Record<string, object> = {
  'gs://ops/batch.json': SPEC,
  'gs://ops/stream.json': { ...SPEC, metadata: { ...SPEC.metadata, streaming: true } },
};

const FOREVER = 'console.log("up"); setInterval(() => {}, 1000);';
const STUBBORN = `process.on('SIGTERM', () => console.log('no')); ${FOREVER}`;
const DRAINS = `process.on('SIGTERM', () => { console.log('{"metric":"late","value":1}'); process.exit(0); }); ${FOREVER}`;

/** Takes a while to listen to signals, and longer to finish; a second signal would kill it. */
const SLOW_TO_DRAIN = `setTimeout(() => {
  process.once('SIGTERM', () => setTimeout(() => process.exit(0), 500));
  ${FOREVER}
}, 500);`;

let server: DataflowServer;
let logs: string;
let templates: FlexTemplatesServiceClient;
let jobs: JobsV1Beta3Client;
let messages: MessagesV1Beta3Client;
let metrics: MetricsV1Beta3Client;
let commandSeen: { image: string; jobId: string; jobName: string } | undefined;

beforeAll(async () => {
  logs = await mkdtemp(path.join(tmpdir(), 'cupel-dataflow-'));
});
afterAll(() => rm(logs, { recursive: true }));

beforeEach(async () => {
  server = await startDataflow({
    readTemplate: (uri) => {
      const spec = TEMPLATES[uri];
      if (uri.endsWith('/down.json')) return Promise.reject(new Error('connect ECONNREFUSED'));
      const gone = Object.assign(new Error('No such object'), { code: 'CUP_OBJECT_NOT_FOUND' });
      return spec ? Promise.resolve(JSON.stringify(spec)) : Promise.reject(gone);
    },
    commandFor: (image, parameters, job) => {
      commandSeen = { image, ...job };
      if (parameters.script === 'missing') return { command: '/nowhere/at-all', args: [] };
      if (parameters.script === 'throws') throw new Error('no such image');
      return { command: process.execPath, args: ['-e', parameters.script ?? ''], env: { GREETING: 'hello' } };
    },
    logDirectory: logs,
  });
  const options = {
    apiEndpoint: '127.0.0.1',
    port: server.port,
    sslCreds: grpc.credentials.createInsecure(),
    authClient: new googleAuthLibrary.PassThroughClient(),
  };
  templates = new FlexTemplatesServiceClient(options);
  jobs = new JobsV1Beta3Client(options);
  messages = new MessagesV1Beta3Client(options);
  metrics = new MetricsV1Beta3Client(options);
});
afterEach(async () => {
  await Promise.all([templates, jobs, messages, metrics].map((client) => client.close()));
  await server.stop();
});

interface Launch {
  jobName?: string;
  template?: string;
  parameters?: Record<string, string>;
  labels?: Record<string, string>;
  update?: boolean;
  validateOnly?: boolean;
}

async function launch(script: string, options: Launch = {}): Promise<string> {
  const {
    jobName = 'job',
    template = 'batch',
    parameters,
    labels = {},
    update = false,
    validateOnly = false,
  } = options;
  const launchParameter = {
    jobName,
    containerSpecGcsPath: `gs://ops/${template}.json`,
    parameters: parameters ?? { script },
    environment: { additionalUserLabels: labels },
    update,
  };
  const [{ job }] = await templates.launchFlexTemplate({ ...WHERE, launchParameter, validateOnly });
  if (!validateOnly) expect(job?.currentState).toBe('JOB_STATE_QUEUED');
  return job?.id ?? '';
}

async function stateOf(jobId: string): Promise<string> {
  const [job] = await jobs.getJob({ ...WHERE, jobId });
  return String(job.currentState);
}

async function until(jobId: string, state: string): Promise<void> {
  await expect.poll(() => stateOf(jobId), { timeout: 10_000, interval: 20 }).toBe(state);
}

async function textsOf(jobId: string, minimumImportance: 'JOB_MESSAGE_DEBUG' | 'JOB_MESSAGE_ERROR'): Promise<string[]> {
  const texts: string[] = [];
  for await (const message of messages.listJobMessagesAsync({ ...WHERE, jobId, minimumImportance })) {
    texts.push(`${String(message.messageImportance)} ${message.messageText ?? ''}`);
  }
  return texts;
}

/** Waits until the script has printed `up`, so that its signal handlers are there. */
async function untilUp(jobId: string): Promise<void> {
  await expect
    .poll(() => textsOf(jobId, 'JOB_MESSAGE_DEBUG'), { timeout: 10_000, interval: 20 })
    .toContain('JOB_MESSAGE_DETAILED up');
}

const request = (jobId: string, requestedState: 'JOB_STATE_CANCELLED' | 'JOB_STATE_DRAINED') =>
  jobs.updateJob({ ...WHERE, jobId, job: { requestedState } });

test('a job runs its command; its output becomes metrics, messages and a log', async () => {
  const script = `console.log('{"metric":"rows","value":41,"namespace":"kappa","step":"merge"}');
    console.log('{"metric":"rows","value":42,"namespace":"kappa","step":"merge"}');
    console.log('{"metric":"no number"}'); console.log(process.env.GREETING); console.error('a warning');
    process.stdout.write('without an end');`;
  const jobId = await launch(script, { jobName: 'prints' });
  expect(jobId).toMatch(/^\d{4}-\d\d-\d\d_\d\d_\d\d_\d\d-\d+$/);
  await until(jobId, 'JOB_STATE_DONE');
  expect(commandSeen).toEqual({ image: 'script', jobId, jobName: 'prints' });
  const [answer] = await metrics.getJobMetrics({ ...WHERE, jobId });
  expect(answer.metrics).toHaveLength(1);
  expect(answer.metrics?.[0]).toMatchObject({
    name: { origin: 'user', name: 'rows', context: { namespace: 'kappa', step: 'merge' } },
    scalar: { numberValue: 42 },
  });
  const texts = await textsOf(jobId, 'JOB_MESSAGE_DEBUG');
  for (const line of ['{"metric":"no number"}', 'hello', 'a warning', 'without an end'])
    expect(texts).toContain(`JOB_MESSAGE_DETAILED ${line}`);
  expect(texts.filter((text) => text.startsWith('JOB_MESSAGE_BASIC'))).toEqual([
    'JOB_MESSAGE_BASIC Job state changed to JOB_STATE_RUNNING',
    'JOB_MESSAGE_BASIC Job state changed to JOB_STATE_DONE',
  ]);
  expect(await textsOf(jobId, 'JOB_MESSAGE_ERROR')).toEqual([]);
  const log = await readFile(path.join(logs, 'dataflow-prints.log'), 'utf8');
  expect(log).toContain('a warning\n');
  expect(log).toContain('{"metric":"rows","value":42');
});

test('a process that fails makes a failed job whose error quotes the end of its standard error', async () => {
  const jobId = await launch('for (let i = 0; i < 30; i++) console.error(`line ${i}.`); process.exitCode = 3;');
  await until(jobId, 'JOB_STATE_FAILED');
  const [error, ...others] = await textsOf(jobId, 'JOB_MESSAGE_ERROR');
  expect(others).toEqual([]);
  expect(error).toContain('worker ended with 3');
  expect(error).toContain('line 29.');
  expect(error).not.toContain('line 9.');
});

test.each([
  ['missing', /Template launch failed: spawn \/nowhere\/at-all ENOENT/],
  ['throws', /Template launch failed: no such image/],
])('a job whose process cannot start fails (%s)', async (script, text) => {
  const jobId = await launch(script);
  await until(jobId, 'JOB_STATE_FAILED');
  expect((await textsOf(jobId, 'JOB_MESSAGE_ERROR')).join()).toMatch(text);
});

test('what a job leaves running ends with it', async () => {
  // The child of the child holds the output open for ever: the job is done only once that one is gone too.
  const script = `require('node:child_process')
      .spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
    setTimeout(() => process.exit(0), 100);`;
  await until(await launch(script), 'JOB_STATE_DONE');
});

test('a launch is refused for a bad name, template or parameters', async () => {
  await expect(launch('', { jobName: 'Kappa_1' })).rejects.toMatchObject({ code: grpc.status.INVALID_ARGUMENT });
  await expect(launch('', { template: 'none' })).rejects.toMatchObject({
    code: grpc.status.INVALID_ARGUMENT,
    details: expect.stringContaining('Unable to open template file: gs://ops/none.json. No such object') as string,
  });
  // Storage that does not answer comes back, and a launch is tried again.
  await expect(launch('', { template: 'down' })).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
  await expect(launch('', { parameters: { chunk: 'file:///x', chunks: '' } })).rejects.toMatchObject({
    code: grpc.status.INVALID_ARGUMENT,
    details: expect.stringMatching(
      /^\([0-9a-f]{16}\): The template parameters are invalid\. Missing required parameters: script Unrecognized: chunks Did not match regexes: chunk$/,
    ) as string,
  });
  expect(await launch('', { validateOnly: true })).toBe('');
  const [found] = await jobs.listJobs(WHERE);
  expect(found).toEqual([]);
});

test('a name is unique among active jobs', async () => {
  const jobId = await launch(FOREVER, { jobName: 'one' });
  await expect(launch(FOREVER, { jobName: 'one' })).rejects.toMatchObject({
    code: grpc.status.ALREADY_EXISTS,
    details: expect.stringMatching(
      /^\([0-9a-f]{16}\): There is already an active job named one\. If you want to {2}submit a second job, try again by setting a different name\.$/,
    ) as string,
  });
  await request(jobId, 'JOB_STATE_CANCELLED');
  await until(jobId, 'JOB_STATE_CANCELLED');
  const again = await launch('', { jobName: 'one' });
  expect(again).not.toBe(jobId);
});

test('jobs are listed newest first by name, filter and page; labels only in the views that promise them', async () => {
  const ids = [];
  for (const jobName of ['a', 'b', 'a', 'a']) {
    const jobId = await launch('', { jobName, labels: { work: 'w' } });
    await until(jobId, 'JOB_STATE_DONE');
    ids.unshift(jobId);
  }
  const running = await launch(FOREVER, { jobName: 'a' });
  const list = async (more: object): Promise<string[]> => {
    const found: string[] = [];
    for await (const job of jobs.listJobsAsync({ ...WHERE, ...more })) found.push(job.id ?? '');
    return found;
  };
  const ofA = [ids[0], ids[1], ids[3]];
  expect(await list({ name: 'a', pageSize: 2 })).toEqual([running, ...ofA]);
  expect(await list({ name: 'a', filter: 'ACTIVE' })).toEqual([running]);
  expect(await list({ name: 'a', filter: 'TERMINATED' })).toEqual(ofA);
  expect(await list({})).toEqual([running, ...ids]);
  expect(await list({ location: 'europe-west1' })).toEqual([]);
  const page = { ...WHERE, pageSize: 2 };
  const [first, next] = await jobs.listJobs(page, { autoPaginate: false });
  expect(first.map(({ id }) => id)).toEqual([running, ids[0]]);
  const [second] = await jobs.listJobs({ ...page, pageToken: next?.pageToken }, { autoPaginate: false });
  expect(second.map(({ id }) => id)).toEqual([ids[1], ids[2]]);
  const [summary] = await jobs.getJob({ ...WHERE, jobId: running, view: 'JOB_VIEW_SUMMARY' });
  expect(summary.labels).toEqual({});
  const [described] = await jobs.getJob({ ...WHERE, jobId: ids[0], view: 'JOB_VIEW_DESCRIPTION' });
  expect(described).toMatchObject({ labels: { work: 'w' }, type: 'JOB_TYPE_BATCH', name: 'a' });
});

test('a job that ignores SIGTERM is cancelled all the same, and cancelling what has ended is refused', async () => {
  const jobId = await launch(STUBBORN);
  await untilUp(jobId);
  const [answer] = await request(jobId, 'JOB_STATE_CANCELLED');
  expect(answer.currentState).toBe('JOB_STATE_CANCELLING');
  await until(jobId, 'JOB_STATE_CANCELLED');
  expect(await textsOf(jobId, 'JOB_MESSAGE_DEBUG')).toContain('JOB_MESSAGE_DETAILED no');
  await expect(request(jobId, 'JOB_STATE_CANCELLED')).rejects.toMatchObject({ code: grpc.status.FAILED_PRECONDITION });
  await expect(request('nope', 'JOB_STATE_CANCELLED')).rejects.toMatchObject({ code: grpc.status.NOT_FOUND });
});

test('only a streaming job drains, and only exit code 0 is drained', async () => {
  const batch = await launch(FOREVER, { jobName: 'batch' });
  await expect(request(batch, 'JOB_STATE_DRAINED')).rejects.toMatchObject({ code: grpc.status.INVALID_ARGUMENT });
  const clean = await launch(DRAINS, { jobName: 'clean', template: 'stream' });
  const dirty = await launch(FOREVER, { jobName: 'dirty', template: 'stream' });
  await Promise.all([untilUp(clean), untilUp(dirty)]);
  await request(clean, 'JOB_STATE_DRAINED');
  await request(dirty, 'JOB_STATE_DRAINED');
  await until(clean, 'JOB_STATE_DRAINED');
  await until(dirty, 'JOB_STATE_FAILED');
  const [{ metrics: found }] = await metrics.getJobMetrics({ ...WHERE, jobId: clean });
  expect(found?.[0]?.name?.name).toBe('late');
});

test('a job is asked to drain once it listens, and once only', async () => {
  const slow = await launch(SLOW_TO_DRAIN, { jobName: 'slow', template: 'stream' });
  await until(slow, 'JOB_STATE_RUNNING');
  await request(slow, 'JOB_STATE_DRAINED');
  await expect.poll(() => textsOf(slow, 'JOB_MESSAGE_DEBUG')).toContain('JOB_MESSAGE_DETAILED up');
  const [again] = await request(slow, 'JOB_STATE_DRAINED');
  expect(again.currentState).toBe('JOB_STATE_DRAINING');
  await until(slow, 'JOB_STATE_DRAINED');
});

test('an update replaces the running streaming job, one after the other', async () => {
  await expect(launch(DRAINS, { template: 'stream', update: true })).rejects.toMatchObject({
    code: grpc.status.FAILED_PRECONDITION,
  });
  const old = await launch(STUBBORN, { template: 'stream' });
  await untilUp(old);
  const next = await launch(DRAINS, { template: 'stream', update: true });
  expect(await stateOf(next)).toBe('JOB_STATE_QUEUED');
  await until(next, 'JOB_STATE_RUNNING');
  const [replaced] = await jobs.getJob({ ...WHERE, jobId: old });
  expect(replaced).toMatchObject({ currentState: 'JOB_STATE_UPDATED', replacedByJobId: next });
  const [replacing] = await jobs.getJob({ ...WHERE, jobId: next });
  expect(replacing.replaceJobId).toBe(old);
});

test('a fault before a launch leaves no job; one after it leaves a job whose answer is lost', async () => {
  server.faults.failNext('launchFlexTemplate', 'before', grpc.status.UNAVAILABLE);
  await expect(launch('')).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
  expect((await jobs.listJobs(WHERE))[0]).toHaveLength(0);
  server.faults.failNext('launchFlexTemplate', 'after', grpc.status.UNAVAILABLE);
  await expect(launch('')).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
  expect((await jobs.listJobs(WHERE))[0]).toHaveLength(1);
});

test('stopping the server ends the processes of its jobs', async () => {
  const jobId = await launch(`console.log('pid ' + process.pid); ${STUBBORN}`);
  await untilUp(jobId);
  const pid = Number(/pid (\d+)/.exec((await textsOf(jobId, 'JOB_MESSAGE_DEBUG')).join())?.[1]);
  await server.stop();
  await delay(0);
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});
