import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Activities } from '../../src/activities/index.ts';
import type { FileNews } from '../../src/activities/files.ts';
import { cupelError } from '../../src/errors.ts';
import type { LandedFile } from '../../src/ingest/land-file.ts';
import type { FileArrivalResult } from '../../src/workflows/file-arrival.ts';
import { TASK_QUEUE } from '../../src/workflows/ids.ts';
import { fakeActivities } from '../support/fake-activities.ts';
import { cupelWorker, record, timeSkipping } from '../support/workflows.ts';

let env: TestWorkflowEnvironment;
let runs = 0;

beforeAll(async () => {
  env = await timeSkipping();
});
afterAll(() => env.teardown());

const LANDED: LandedFile = {
  source: 'networks',
  feed: 'files',
  priority: 'high',
  object: 'networks/files/dt=2025-05-04/hr=10/x.csv',
  hour: '2025-05-04T10',
  alreadyLanded: false,
  description: {
    records: 5,
    refused: 0,
    reasons: {},
    firstRefused: null,
    bytes: 100,
    schemaFingerprint: 'f',
    fields: ['code'],
    minEventTime: null,
    maxEventTime: null,
  },
};

/** What was told and entered, beside the activities of a pipeline of no chunks. */
function fakes(replace: Partial<Activities> = {}) {
  const told: FileNews[] = [];
  const entered: string[] = [];
  const announced: string[] = [];
  const fake = fakeActivities(0, {
    landFile: () => Promise.resolve(LANDED),
    recordFile: ({ state }) => Promise.resolve(void entered.push(state)),
    publishFileNews: (news) => Promise.resolve(void told.push(news)),
    postFileNews: () => Promise.resolve(),
    deadLetterFileNews: () => Promise.resolve('gs://quarantine/_webhook/1.json'),
    announce: ({ subject, state }) => Promise.resolve(void announced.push(`${subject} ${state}`)),
    awaitWorkflow: () => Promise.resolve(),
    ...replace,
  });
  return { ...fake, told, entered, announced };
}

async function run(fake: ReturnType<typeof fakes>, name?: string): Promise<FileArrivalResult> {
  runs += 1;
  const worker = await cupelWorker(env, fake.activities);
  return worker.runUntil(async () => {
    const handle = await env.client.workflow.start<(file: object) => Promise<FileArrivalResult>>('fileArrival', {
      workflowId: `file-${runs}`,
      taskQueue: TASK_QUEUE,
      args: [{ bucket: 'inbox', name: 'networks/files/a.csv', generation: String(runs) }],
    });
    try {
      return await handle.result();
    } finally {
      if (name) await record(handle, name);
    }
  });
}

const typesOf = ({ told }: { told: FileNews[] }): string[] => told.map(({ type }) => type);

test('a file of high priority goes through pipeline and Gold at once, and others are told', async () => {
  const fake = fakes();
  const result = await run(fake, 'file-arrival');
  expect(result).toEqual({ landed: LANDED, state: 'processed' });
  expect(fake.calls).toContain('planRange');
  expect(fake.calls.indexOf('isMaterialized')).toBeLessThan(fake.calls.indexOf('publishFileNews'));
  expect(fake.entered).toEqual(['processed']);
  expect(fake.told).toEqual([
    expect.objectContaining({ type: 'file.processed', object: LANDED.object, description: LANDED.description }),
  ]);
});

test('a file of normal priority is left to the next run', async () => {
  const fake = fakes({ landFile: () => Promise.resolve({ ...LANDED, priority: 'normal' }) });
  expect(await run(fake)).toMatchObject({ state: 'landed' });
  expect(fake.calls).not.toContain('planRange');
  expect(typesOf(fake)).toEqual(['file.landed']);
});

test('a refused file is entered, told and announced, and fails the run with its code', async () => {
  const fake = fakes({
    landFile: () => {
      throw cupelError('CUP_FILE_REFUSED', { file: 'a.csv' });
    },
  });
  await expect(run(fake, 'file-arrival-refused')).rejects.toThrow();
  expect(fake.entered).toEqual(['refused']);
  expect(fake.told).toEqual([expect.objectContaining({ type: 'file.refused', code: 'CUP_FILE_REFUSED' })]);
  expect(fake.announced).toEqual(['file/networks/files/a.csv failed']);
});

test('a file whose run fails is in Bronze, and is told as failed', async () => {
  const fake = fakes({
    planRange: () => {
      throw ApplicationFailure.nonRetryable('no plan', 'CUP_GOOGLE_REFUSED');
    },
  });
  await expect(run(fake)).rejects.toThrow();
  expect(fake.entered).toEqual(['failed']);
  expect(typesOf(fake)).toEqual(['file.failed']);
});

test('a range that another run has is waited for', async () => {
  let tries = 0;
  const fake = fakes({
    acquireLease: () => {
      tries += 1;
      if (tries < 3) throw cupelError('CUP_RANGE_LEASED', { holder: 'backfill/x' });
      return Promise.resolve();
    },
  });
  expect(await run(fake)).toMatchObject({ state: 'processed' });
  expect(tries).toBe(3);
});

test('a run of the same hour that began before is waited for, and the hour is run again', async () => {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  let plans = 0;
  const fake = fakes({
    planRange: async () => {
      plans += 1;
      if (plans === 1) await opened;
      const summary = { planUri: 'p', objects: 0, partitions: 0, donePartitions: 0, toProcess: 0, missingSlots: 0 };
      return summary;
    },
    awaitWorkflow: async ({ workflowId }) => {
      open();
      await env.client.workflow.getHandle(workflowId).result();
    },
  });
  runs += 1;
  const worker = await cupelWorker(env, fake.activities);
  await worker.runUntil(async () => {
    const range = { from: '2025-05-04T10:00:00Z', to: '2025-05-04T11:00:00Z' };
    await env.client.workflow.start('pipeline', {
      workflowId: `pipeline/networks/${range.from}/${range.to}`,
      taskQueue: TASK_QUEUE,
      args: [{ source: 'networks', ...range }],
    });
    const result = await env.client.workflow.execute<(file: object) => Promise<FileArrivalResult>>('fileArrival', {
      workflowId: `file-${runs}`,
      taskQueue: TASK_QUEUE,
      args: [{ bucket: 'inbox', name: 'networks/files/a.csv', generation: '1' }],
    });
    expect(result.state).toBe('processed');
  });
  expect(plans).toBe(2);
});

test('what the webhook refuses becomes a dead letter, and the file is well all the same', async () => {
  const letters: string[] = [];
  const fake = fakes({
    postFileNews: () => {
      throw cupelError('CUP_WEBHOOK_REFUSED', { host: 'h' });
    },
    deadLetterFileNews: ({ news, code }) => {
      letters.push(`${news.type} ${code}`);
      return Promise.resolve('gs://quarantine/_webhook/1.json');
    },
  });
  expect(await run(fake)).toMatchObject({ state: 'processed' });
  expect(letters).toEqual(['file.processed CUP_WEBHOOK_REFUSED']);
});
