import { WorkflowNotFoundError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import pLimit from 'p-limit';
import { describeOwned, ownedIds } from './owned.ts';
import { shapeOf } from './shape.ts';

/** How a schedule is. */
export interface ScheduleRow {
  id: string;
  when: string;
  /** What people said when they paused it; null while it runs. */
  paused: string | null;
  /** The newest tick: the time that it stands for, and how its workflow is. */
  last: { at: string; workflowId: string; status: string } | null;
  /** UTC; null where nothing comes any more. */
  next: string | null;
  /** Ticks that were older than the catch-up window when they could have started. */
  missed: number;
  /** Ticks that came while the one before ran. */
  skipped: number;
}

/** Schedules described at once. */
const AT_ONCE = 8;

const time = (date: Date | undefined): string | null => (date ? date.toISOString().replace('.000Z', 'Z') : null);

async function statusOf(client: Client, workflowId: string, runId: string): Promise<string> {
  try {
    return (await client.workflow.getHandle(workflowId, runId).describe()).status.name;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'FORGOTTEN';
    throw error;
  }
}

async function rowOf(client: Client, id: string, environment: string): Promise<ScheduleRow | undefined> {
  const known = await describeOwned(client, id, environment);
  if (!known) return undefined;
  const { info, state } = known;
  const tick = info.recentActions.at(-1);
  const { workflowId = '', firstExecutionRunId = '' } = tick?.action.workflow ?? {};
  const status = tick && (await statusOf(client, workflowId, firstExecutionRunId));
  return {
    id,
    when: shapeOf(known).when,
    paused: state.paused ? state.note || 'no reason given' : null,
    last: tick && status ? { at: time(tick.scheduledAt) ?? '', workflowId, status } : null,
    next: state.paused ? null : time(info.nextActionTimes[0]),
    missed: info.numActionsMissedCatchupWindow,
    skipped: info.numActionsSkippedOverlap,
  };
}

/** Every schedule of the environment, sorted by id. */
export async function readStates(client: Client, environment: string): Promise<ScheduleRow[]> {
  const limit = pLimit(AT_ONCE);
  const ids = await ownedIds(client, environment);
  const rows = await Promise.all(ids.map((id) => limit(() => rowOf(client, id, environment))));
  return rows.filter((row) => row !== undefined);
}
