import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Activities, ActivityResources } from '../../src/activities/index.ts';
import { upkeepActivities } from '../../src/activities/upkeep.ts';
import { cupelError } from '../../src/errors.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import type { Finding, Reconciliation } from '../../src/lakehouse/upkeep/index.ts';
import { TASK_QUEUE } from '../../src/workflows/ids.ts';
import type { MaintainResult } from '../../src/workflows/maintain.ts';
import type { MonitorResult } from '../../src/workflows/monitor.ts';
import type { ReconcileResult } from '../../src/workflows/reconcile.ts';
import { doneOf } from '../support/fake-activities.ts';
import { cupelWorker, record, timeSkipping } from '../support/workflows.ts';

let env: TestWorkflowEnvironment;

beforeAll(async () => {
  env = await timeSkipping();
});
afterAll(() => env.teardown());

interface Announced {
  subject: string;
  source: string;
  state: string;
  reason: string;
  code?: string;
}

const NUMBERS = { compactedFiles: 4, expiredSnapshots: 3, orphans: 2 };
const OPS = { shadows: 0, plans: 1, chunks: 2, deltas: 3, streamed: 4, groups: 5 };

/** Activities around a table; the request to the committer is the real one. */
function activities(replace: Partial<Activities> = {}) {
  const announced: Announced[] = [];
  const recorded: object[] = [];
  const dropped: string[] = [];
  const resources = { temporal: env.client, environment: readEnvironment({ CUPEL_PROJECT: 'p' }), now: () => 0 };
  const { requestMaintenance } = upkeepActivities(resources as unknown as ActivityResources);
  const fakes = {
    resolveContract: ({ source }: { source: string }) =>
      Promise.resolve({ hash: 'h', uri: `gs://ops/contracts/${source}/h.json`, table: `silver.${source}` }),
    requestMaintenance,
    maintainTable: () => Promise.resolve(NUMBERS),
    closedAudits: () => Promise.resolve(['x1']),
    dropAuditDatasets: ({ auditId }: { auditId: string }) => Promise.resolve(dropped.push(`datasets ${auditId}`)),
    dropAudit: ({ auditId }: { auditId: string }) => Promise.resolve(dropped.push(`table ${auditId}`)),
    sweepOps: () => Promise.resolve(OPS),
    recordUpkeep(done: { numbers: object }) {
      recorded.push(done);
      return Promise.resolve();
    },
    announce(of: Announced) {
      announced.push(of);
      return Promise.resolve();
    },
    ...replace,
  };
  return { announced, recorded, dropped, activities: fakes as unknown as Partial<Activities> };
}

const start = <T>(type: string, workflowId: string, input: object) =>
  env.client.workflow.start<(given: object) => Promise<T>>(type, {
    workflowId,
    taskQueue: TASK_QUEUE,
    args: [input],
  });

test('maintain lets the committer do the whole upkeep, sweeps the ops bucket, and enters the numbers', async () => {
  const asked: unknown[] = [];
  const fake = activities({
    maintainTable(input) {
      asked.push(input);
      return Promise.resolve(NUMBERS);
    },
  });
  const worker = await cupelWorker(env, fake.activities);
  await worker.runUntil(async () => {
    const handle = await start<MaintainResult>('maintain', 'maintain/a/2025-01-01', { source: 'a' });
    const result = await handle.result();
    expect(result).toEqual({ table: 'silver.a', ...NUMBERS, audits: 1, ops: OPS });
    expect(fake.dropped).toEqual(['datasets x1', 'table x1']);
    await record(handle, 'maintain');
    expect(asked).toEqual([{ contractUri: 'gs://ops/contracts/a/h.json', sweep: true, expire: true }]);
    expect(fake.recorded).toMatchObject([{ source: 'a', table: 'silver.a', numbers: result }]);
    expect(fake.announced).toMatchObject([{ subject: 'maintain/a', source: 'a', state: 'healthy' }]);
    const committer = env.client.workflow.getHandle('committer/silver.a');
    await record(committer, 'committer-upkeep');
  });
});

test('upkeep comes between two groups: it neither races a commit nor waits for the last batch', async () => {
  const done: string[] = [];
  let running = 0;
  const alone = async <T>(name: string, result: T): Promise<T> => {
    running += 1;
    expect(running).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    done.push(name);
    running -= 1;
    return result;
  };
  const fake = activities({
    commitBatches: ({ batchIds }) => alone(batchIds.join(), batchIds.map(doneOf)),
    maintainTable: ({ expire }) => alone(expire ? 'upkeep' : 'after a commit', NUMBERS),
  });
  const worker = await cupelWorker(env, fake.activities);
  await worker.runUntil(async () => {
    const submission = (batchId: string, contractUri: string) => ({ batchId, contractUri, waiter: 'nobody' });
    const committer = await env.client.workflow.signalWithStart('committer', {
      workflowId: 'committer/silver.b',
      taskQueue: TASK_QUEUE,
      args: [{ table: 'silver.b' }],
      signal: 'submit',
      // Batches of two contracts are two groups.
      signalArgs: [
        [submission('one', 'gs://ops/contracts/b/1.json'), submission('two', 'gs://ops/contracts/b/2.json')],
      ],
    });
    const handle = await start<MaintainResult>('maintain', 'maintain/b/2025-01-01', { source: 'b' });
    await handle.result();
    await expect.poll(() => done.length, { timeout: 20_000 }).toBe(4);
    await committer.terminate().catch(() => undefined); // time that runs away may have ended it
  });
  expect(done.filter((name) => name !== 'upkeep')).toEqual(['one', 'two', 'after a commit']);
  expect(done).toContain('upkeep');
});

test('upkeep that fails fails maintain with its code and tells people; the committer goes on', async () => {
  const committer = env.client.workflow.getHandle('committer/silver.c');
  const committed: string[] = [];
  const fake = activities({
    async maintainTable({ expire }) {
      if (!expire) return NUMBERS;
      await committer.signal('submit', [{ batchId: 'x', contractUri: 'gs://ops/c.json', waiter: 'nobody' }]);
      throw cupelError('CUP_TABLE_SCHEMA', { table: 't' });
    },
    commitBatches({ batchIds }) {
      committed.push(...batchIds);
      return Promise.resolve(batchIds.map(doneOf));
    },
  });
  const worker = await cupelWorker(env, fake.activities);
  await worker.runUntil(async () => {
    const handle = await start<MaintainResult>('maintain', 'maintain/c/2025-01-01', { source: 'c' });
    await expect(handle.result()).rejects.toMatchObject({ cause: { cause: { type: 'CUP_TABLE_SCHEMA' } } });
    await record(handle, 'maintain-failed');
    await expect.poll(() => committed, { timeout: 20_000 }).toEqual(['x']);
    expect(fake.announced).toMatchObject([{ subject: 'maintain/c', state: 'failed', code: 'CUP_TABLE_SCHEMA' }]);
    expect(fake.recorded).toEqual([]);
  });
});

const RECONCILED: Reconciliation & { filesTaken: number } = {
  filesTaken: 0,
  objects: 10,
  arrived: 8,
  registered: 2,
  refused: 0,
  republished: 1,
  missingRuns: 1,
  gaps: 2,
  coveredGaps: 1,
  found: 1,
};

test('reconcile compares a range in its canonical form', async () => {
  const asked: object[] = [];
  const fake = activities({
    reconcileBronze(input) {
      asked.push(input);
      return Promise.resolve(RECONCILED);
    },
  });
  const worker = await cupelWorker(env, fake.activities);
  await worker.runUntil(async () => {
    const input = { source: 's', from: '2025-01-01', to: '2025-01-02' };
    const handle = await start<ReconcileResult>('reconcile', 'reconcile/s', input);
    const range = { from: '2025-01-01T00:00:00Z', to: '2025-01-02T00:00:00Z' };
    expect(await handle.result()).toEqual({ range, ...RECONCILED });
    await record(handle, 'reconcile');
    expect(asked).toMatchObject([{ contractUri: 'gs://ops/contracts/s/h.json', ...range }]);
    expect(fake.announced).toMatchObject([{ subject: 'reconcile/s', state: 'healthy' }]);
  });
});

test('monitor tells people of everything that it looked at, the overdue first in its page', async () => {
  const findings: Finding[] = [
    { subject: 'freshness/s/all_hour', source: 's', state: 'healthy', reason: 'newest answer of 2025-01-01T12:00Z' },
    { subject: 'freshness/schedule/x', source: '', state: 'failed', reason: 'paused: by | hand', todo: 'resume x' },
  ];
  const fake = activities({ lookAround: () => Promise.resolve(findings) });
  const worker = await cupelWorker(env, fake.activities);
  await worker.runUntil(async () => {
    const handle = await start<MonitorResult>('monitor', 'monitor/1', { at: '2025-01-01T12:30:00Z' });
    const result = await handle.result();
    await record(handle, 'monitor');
    expect(result).toMatchObject({ at: '2025-01-01T12:30:00Z', overdue: 1, findings });
    expect(result.summary.split('\n')).toEqual([
      '**1 of 2 overdue**, looked at 2025-01-01T12:30:00Z',
      '',
      '| | what | seen | type |',
      '| --- | --- | --- | --- |',
      '| **overdue** | freshness/schedule/x | paused: by \\| hand | `resume x` |',
      '| fresh | freshness/s/all_hour | newest answer of 2025-01-01T12:00Z |  |',
    ]);
    expect(fake.announced.map(({ subject, state }) => [subject, state])).toEqual([
      ['freshness/s/all_hour', 'healthy'],
      ['freshness/schedule/x', 'failed'],
    ]);
  });
});
