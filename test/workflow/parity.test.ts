import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Activities } from '../../src/activities/index.ts';
import type { ComparedRound, CompareWithShadow, OpenedShadow } from '../../src/activities/parity.ts';
import { cupelError } from '../../src/errors.ts';
import type { DifferenceKind } from '../../src/lakehouse/parity/index.ts';
import { TASK_QUEUE } from '../../src/workflows/ids.ts';
import type { ParityInput, ParityResult } from '../../src/workflows/parity-messages.ts';
import { doneOf, fakeActivities } from '../support/fake-activities.ts';
import { cupelWorker, record, timeSkipping } from '../support/workflows.ts';

let env: TestWorkflowEnvironment;
let runs = 0;

beforeAll(async () => {
  env = await timeSkipping();
});
afterAll(() => env.teardown());

const opened = (streamed: boolean): OpenedShadow => ({
  source: 's',
  table: 'silver.s__parity_x',
  of: 'silver.s',
  contractUri: 'gs://ops/contracts/s/shadow.json',
  pinnedUri: 'gs://ops/contracts/s/h.json',
  contractHash: 'h',
  streamed,
  run: { workflowId: 'parity/s', runId: 'x' },
});

function found(counts: Partial<Record<DifferenceKind, number>>, mayHeal = 0): Omit<ComparedRound, 'reportUri'> {
  return { keys: 10, counts, total: Object.values(counts).reduce((sum, count) => sum + count, 0), mayHeal };
}

/** @param rounds what each round of comparing finds; the last one again and again */
function fakes(rounds: Omit<ComparedRound, 'reportUri'>[], streamed = false, replace: Partial<Activities> = {}) {
  const compared: CompareWithShadow[] = [];
  const planned: string[] = [];
  const quiet = fakeActivities(2).activities;
  let snapshots = 0;
  const fake = fakeActivities(2, {
    openShadow: () => Promise.resolve(opened(streamed)),
    readWholeBronze: () => Promise.resolve({ from: '2025-01-01T00:00:00.000Z', to: '2025-01-02T00:00:00.000Z' }),
    planRange: (input) => {
      planned.push(`${input.from} ${input.to} ${input.reprocess} ${input.contractUri}`);
      return (quiet.planRange as Activities['planRange'])(input);
    },
    commitShadow: () => Promise.resolve(`shadow-${(snapshots += 1)}`),
    waitingBatches: () => Promise.resolve([]),
    readSilverSnapshot: () => Promise.resolve(`silver-${snapshots}`),
    compareWithShadow: (input) => {
      compared.push(input);
      const round = rounds[Math.min(input.round, rounds.length) - 1] ?? found({});
      return Promise.resolve({ ...round, reportUri: `gs://ops/parity/s/x-${input.round}.ndjson` });
    },
    dropShadow: () => Promise.resolve(),
    ...replace,
  });
  return { ...fake, compared, planned };
}

type Parity = (input: ParityInput) => Promise<ParityResult>;

async function run(
  fake: Pick<ReturnType<typeof fakes>, 'activities'>,
  input: Partial<ParityInput> = {},
  keep?: string,
): Promise<ParityResult> {
  runs += 1;
  const worker = await cupelWorker(env, fake.activities);
  return worker.runUntil(async () => {
    const args: [ParityInput] = [{ source: 's', ...input }];
    const start = { workflowId: `parity-${runs}`, taskQueue: TASK_QUEUE, args };
    const handle = await env.client.workflow.start<Parity>('parity', start);
    try {
      return await handle.result();
    } finally {
      if (keep) await record(handle, keep);
    }
  });
}

const times = (calls: string[], name: string): number => calls.filter((call) => call === name).length;

test('all of Bronze is computed under the contract of the shadow, compared once where it is equal, and the shadow dropped', async () => {
  const fake = fakes([found({})]);
  const result = await run(fake, {}, 'parity');
  expect(result).toMatchObject({ equal: true, rounds: 1, keys: 10, differences: 0, range: null, batches: 2 });
  expect(result).toMatchObject({ table: 'silver.s', silverSnapshotId: 'silver-1', reportUri: null });
  expect(fake.planned).toEqual([
    '2025-01-01T00:00:00.000Z 2025-01-02T00:00:00.000Z all gs://ops/contracts/s/shadow.json',
  ]);
  const pair = { silver: 'silver-1', shadow: 'shadow-1' };
  expect(fake.compared).toMatchObject([{ first: pair, now: pair, round: 1 }]);
  expect(fake.compared[0]).not.toHaveProperty('range');
  expect(fake.calls.at(-1)).toBe('dropShadow');
});

test('a difference is looked at again after what landed meanwhile was computed too, and is told if it stays', async () => {
  const fake = fakes([found({ unequal: 1, missing: 2 }, 2), found({ unequal: 1, missing: 2 }, 2)]);
  const result = await run(fake, { from: '2025-01-01', to: '2025-01-02' }, 'parity-differs');
  expect(result).toMatchObject({
    equal: false,
    rounds: 2,
    differences: 3,
    counts: { unequal: 1, missing: 2 },
    range: { from: '2025-01-01T00:00:00Z', to: '2025-01-02T00:00:00Z' },
    reportUri: 'gs://ops/parity/s/x-2.ndjson',
  });
  expect(fake.compared[1]).toMatchObject({
    first: { silver: 'silver-1', shadow: 'shadow-1' },
    now: { silver: 'silver-2', shadow: 'shadow-2' },
    range: { from: '2025-01-01T00:00:00Z', to: '2025-01-02T00:00:00Z' },
    previous: { reportUri: 'gs://ops/parity/s/x-1.ndjson', total: 3 },
  });
  expect(times(fake.calls, 'dropShadow')).toBe(1);
});

test('what a stream is about to get is waited for; what nothing heals is not', async () => {
  const heals = fakes([found({ behind: 4 }, 4), found({ behind: 1 }, 1), found({ behind: 1 }, 1), found({})], true);
  expect(await run(heals, {}, 'parity-stream')).toMatchObject({ equal: true, rounds: 4 });
  const stays = fakes([found({ unequal: 1, behind: 1 }, 1), found({ unequal: 1 }, 0)], true);
  expect(await run(stays)).toMatchObject({ equal: false, rounds: 2, counts: { unequal: 1 } });
});

test('patience ends', async () => {
  const fake = fakes([found({ missing: 1 }, 1)], true);
  const result = await run(fake, { patienceSeconds: 60 });
  expect(result).toMatchObject({ equal: false, differences: 1 });
  expect(result.rounds).toBeGreaterThanOrEqual(3);
  expect(result.rounds).toBeLessThanOrEqual(4);
});

test('batches that are published are waited for until they are settled, or told of', async () => {
  let looks = 0;
  const fake = fakes([found({})], false, {
    waitingBatches: () => Promise.resolve(['a', 'b']),
    readOutcomes: ({ batchIds }) => {
      looks += 1;
      return Promise.resolve(batchIds.filter((batchId) => looks >= 3 && batchId === 'a').map(doneOf));
    },
  });
  expect(await run(fake)).toMatchObject({ equal: true, unsettled: 1 });
  expect(looks).toBeGreaterThan(3);
});

test('a partition that cannot be computed proves nothing, though all else is equal', async () => {
  const fake = fakes([found({})], false, {
    awaitDataflowJob: ({ jobId }) =>
      jobId === 'job-batch-1'
        ? Promise.reject(cupelError('CUP_DATAFLOW_JOB_FAILED', { job: jobId }))
        : Promise.resolve({}),
  });
  const result = await run(fake);
  expect(result).toMatchObject({ equal: false, differences: 0, batches: 1 });
  expect(result.failed).toMatchObject([{ code: 'CUP_DATAFLOW_JOB_FAILED' }]);
});

test('a source whose Bronze is empty is compared with nothing', async () => {
  const fake = fakes([found({})], false, { readWholeBronze: () => Promise.resolve(null) });
  expect(await run(fake)).toMatchObject({ equal: true, objects: 0, batches: 0 });
  expect(fake.calls).not.toContain('planRange');
  expect(fake.compared).toMatchObject([{ now: { shadow: null } }]);
});

test('half a range is refused, and nothing is computed', async () => {
  const fake = fakes([found({})]);
  await expect(run(fake, { from: '2025-01-01' })).rejects.toMatchObject({ cause: { type: 'CUP_RANGE_INVALID' } });
  expect(fake.calls).toEqual([]);
});

test('the shadow is dropped also where the comparison fails', async () => {
  const fake = fakes([], false, {
    compareWithShadow: () => Promise.reject(cupelError('CUP_PARITY_OVERTAKEN', { source: 's' })),
  });
  await expect(run(fake, {}, 'parity-failed')).rejects.toMatchObject({
    cause: { cause: { type: 'CUP_PARITY_OVERTAKEN' } },
  });
  expect(fake.calls.at(-1)).toBe('dropShadow');
});
