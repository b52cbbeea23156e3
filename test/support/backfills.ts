import { CancelledFailure, Context } from '@temporalio/activity';
import type { WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { Activities } from '../../src/activities/index.ts';
import { TASK_QUEUE } from '../../src/workflows/ids.ts';
import type { BackfillResult } from '../../src/workflows/backfill/backfill.ts';
import type { BackfillInput } from '../../src/workflows/backfill/messages.ts';
import type { FakeBackfill } from './fake-backfill.ts';
import { whileServing } from './workflows.ts';

type Backfill = (input: BackfillInput) => Promise<BackfillResult>;

/** A backfill of a test. */
export type BackfillHandle = WorkflowHandleWithFirstExecutionRunId<Backfill>;

const RANGE = { from: '2025-01-01T00:00:00Z', to: '2025-02-01T00:00:00Z' };

let runs = 0;

/** Starts a backfill; each has a source of its own unless the test says otherwise. */
export async function startBackfill(
  env: TestWorkflowEnvironment,
  input: Partial<BackfillInput>,
): Promise<BackfillHandle> {
  runs += 1;
  return env.client.workflow.start<Backfill>('backfill', {
    workflowId: `backfill-${runs}`,
    taskQueue: TASK_QUEUE,
    args: [{ source: `s${runs}`, ...RANGE, ...input }],
  });
}

/** Starts a backfill and works with it while workers serve it. */
export async function runBackfill<T>(
  env: TestWorkflowEnvironment,
  fake: FakeBackfill,
  input: Partial<BackfillInput>,
  work: (handle: BackfillHandle) => Promise<T>,
): Promise<T> {
  return whileServing(env, fake.activities, async () => work(await startBackfill(env, input)));
}

/** The innermost code of the catalogue that something failed with. */
export async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  let at = (await work.catch((error: unknown) => error)) as { cause?: unknown; type?: string } | undefined;
  while (at && !at.type?.startsWith('CUP_')) at = at.cause as typeof at;
  return at?.type;
}

/** Something that a test opens once. */
export function gate(): { opened: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

/** Jobs that end when the gate opens, and stop when they are cancelled. */
export function heldJobs(opened: Promise<void>, reached: () => void): Activities['awaitDataflowJob'] {
  return async () => {
    const context = Context.current();
    const beat = setInterval(() => context.heartbeat(), 50);
    const cancelled = new Promise<'cancelled'>((resolve) =>
      context.cancellationSignal.addEventListener('abort', () => resolve('cancelled'), { once: true }),
    );
    reached();
    const how = await Promise.race([opened, cancelled]);
    clearInterval(beat);
    if (how === 'cancelled') throw new CancelledFailure('the job has stopped');
    return {};
  };
}
