import { appendFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  FlexTemplatesServiceClient,
  JobsV1Beta3Client,
  MessagesV1Beta3Client,
  MetricsV1Beta3Client,
} from '@google-cloud/dataflow';
import { googleAuthLibrary, grpc } from 'google-gax';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDataflow } from '../../local/dataflow/server.ts';

const WHERE = { projectId: 'cupel-test', location: 'us-central1' };
const TEMPLATE = { image: 'script', metadata: { name: 'script', parameters: [{ name: 'script' }] } };
const FOREVER = 'console.log("up"); setInterval(() => {}, 1000);';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'cupel-dataflow-restart-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** A server on the state of the one before, and the real clients of it. Its own stop enters no end of what ran, as a kill would not. */
async function serve<T>(state: string, work: (service: ReturnType<typeof clientsOf>) => Promise<T>): Promise<T> {
  const server = await startDataflow({
    readTemplate: () => Promise.resolve(JSON.stringify(TEMPLATE)),
    commandFor: (_image, { script = '' }) => ({ command: process.execPath, args: ['-e', script] }),
    logDirectory: directory,
    stateDirectory: path.join(directory, state),
  });
  const clients = clientsOf(server.port);
  try {
    return await work(clients);
  } finally {
    await clients.close();
    await server.stop();
  }
}

function clientsOf(port: number) {
  const options = {
    apiEndpoint: '127.0.0.1',
    port,
    sslCreds: grpc.credentials.createInsecure(),
    authClient: new googleAuthLibrary.PassThroughClient(),
  };
  const templates = new FlexTemplatesServiceClient(options);
  const jobs = new JobsV1Beta3Client(options);
  const messages = new MessagesV1Beta3Client(options);
  const metrics = new MetricsV1Beta3Client(options);
  const stateOf = async (jobId: string): Promise<string> =>
    String((await jobs.getJob({ ...WHERE, jobId }))[0].currentState);
  return {
    jobs,
    stateOf,
    async launch(jobName: string, script: string): Promise<string> {
      const launchParameter = { jobName, containerSpecGcsPath: 'gs://ops/t.json', parameters: { script } };
      const [{ job }] = await templates.launchFlexTemplate({ ...WHERE, launchParameter });
      return job?.id ?? '';
    },
    until: (jobId: string, state: string) =>
      expect.poll(() => stateOf(jobId), { timeout: 10_000, interval: 20 }).toBe(state),
    async textsOf(jobId: string, minimumImportance: 'JOB_MESSAGE_DEBUG' | 'JOB_MESSAGE_ERROR'): Promise<string[]> {
      const texts: string[] = [];
      for await (const { messageText } of messages.listJobMessagesAsync({ ...WHERE, jobId, minimumImportance }))
        texts.push(messageText ?? '');
      return texts;
    },
    /** All that the service tells of a job. */
    async everything(jobId: string): Promise<object> {
      const [job] = await jobs.getJob({ ...WHERE, jobId, view: 'JOB_VIEW_ALL' });
      const [{ metrics: counted }] = await metrics.getJobMetrics({ ...WHERE, jobId });
      return { job, counted, texts: await this.textsOf(jobId, 'JOB_MESSAGE_DEBUG') };
    },
    close: () => Promise.all([templates, jobs, messages, metrics].map((client) => client.close())),
  };
}

test('jobs that have ended are the same after a restart, with messages and metrics, and in the same order', async () => {
  const before = await serve('ended', async (service) => {
    const good = await service.launch('good', `console.log('{"metric":"rows","value":42,"namespace":"kappa"}')`);
    await service.until(good, 'JOB_STATE_DONE');
    const bad = await service.launch('bad', 'console.error("the reason"); process.exitCode = 3');
    await service.until(bad, 'JOB_STATE_FAILED');
    const cancelled = await service.launch('cancelled', FOREVER);
    await service.until(cancelled, 'JOB_STATE_RUNNING');
    await service.jobs.updateJob({ ...WHERE, jobId: cancelled, job: { requestedState: 'JOB_STATE_CANCELLED' } });
    await service.until(cancelled, 'JOB_STATE_CANCELLED');
    const ids = [good, bad, cancelled];
    return {
      ids,
      all: await Promise.all(ids.map((id) => service.everything(id))),
      list: await service.jobs.listJobs(WHERE),
    };
  });
  await serve('ended', async (service) => {
    expect(await Promise.all(before.ids.map((id) => service.everything(id)))).toEqual(before.all);
    expect((await service.jobs.listJobs(WHERE))[0]).toEqual(before.list[0]);
  });
});

test('a job that ran when the service died has failed, and says so; its name is free', async () => {
  const jobId = await serve('lost', async (service) => {
    const running = await service.launch('one', FOREVER);
    await service.until(running, 'JOB_STATE_RUNNING');
    return running;
  });
  await serve('lost', async (service) => {
    expect(await service.stateOf(jobId)).toBe('JOB_STATE_FAILED');
    expect(await service.textsOf(jobId, 'JOB_MESSAGE_ERROR')).toEqual([expect.stringContaining('lost contact')]);
    const again = await service.launch('one', '');
    await service.until(again, 'JOB_STATE_DONE');
  });
  // The second restart changes nothing more.
  await serve('lost', async (service) => expect(await service.stateOf(jobId)).toBe('JOB_STATE_FAILED'));
});

test('a line that a kill cut off is lost alone, and what is written after it is not', async () => {
  const jobId = await serve('cut', async (service) => {
    const running = await service.launch('running', FOREVER);
    await expect
      .poll(() => service.textsOf(running, 'JOB_MESSAGE_DEBUG'), { timeout: 10_000, interval: 20 })
      .toContain('up');
    return running;
  });
  const state = path.join(directory, 'cut');
  const [file] = (await readdir(state)).filter((name) => name.endsWith('.ndjson'));
  await appendFile(path.join(state, file ?? ''), '{"message":{"id":"1","mess');
  // The first start enters that the job was lost, behind the half line; the second one reads that.
  for (let restart = 0; restart < 2; restart += 1)
    await serve('cut', async (service) => {
      expect(await service.stateOf(jobId)).toBe('JOB_STATE_FAILED');
      expect(await service.textsOf(jobId, 'JOB_MESSAGE_DEBUG')).toContain('up');
      expect(await service.textsOf(jobId, 'JOB_MESSAGE_ERROR')).toEqual([expect.stringContaining('lost contact')]);
    });
});
