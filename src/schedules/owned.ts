import { ScheduleNotFoundError } from '@temporalio/client';
import type { Client, ScheduleDescription, ScheduleHandle } from '@temporalio/client';
import { cupelError } from '../errors.ts';

/** Mark of the schedules that an environment of Cupel owns. */
export interface Mark {
  app: 'cupel';
  env: string;
}

/** The mark of an environment. */
export const markOf = (environment: string): Mark => ({ app: 'cupel', env: environment });

/** Whether a memo is the mark of the environment. */
export function isOwned(memo: Record<string, unknown> | undefined, environment: string): boolean {
  return memo?.app === 'cupel' && memo.env === environment;
}

/**
 * A schedule as Temporal knows it; undefined where there is none.
 *
 * @throws CupelError CUP_SCHEDULE_FOREIGN where it is another's: Cupel leaves it alone
 */
export async function describeOwned(
  client: Client,
  id: string,
  environment: string,
): Promise<ScheduleDescription | undefined> {
  try {
    const found = await client.schedule.getHandle(id).describe();
    if (isOwned(found.memo, environment)) return found;
    const owner = [found.memo?.app, found.memo?.env].map((part) => String(part ?? 'none')).join(', ');
    throw cupelError('CUP_SCHEDULE_FOREIGN', { schedule: id, expected: `app cupel, env ${environment}`, found: owner });
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return undefined;
    throw error;
  }
}

/** Ids of the environment's schedules, sorted. The list is a search index, and may lag a moment behind. */
export async function ownedIds(client: Client, environment: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { scheduleId, memo } of client.schedule.list()) if (isOwned(memo, environment)) ids.push(scheduleId);
  return ids.sort();
}

/**
 * A handle of a schedule that is the environment's.
 *
 * @throws CupelError CUP_SCHEDULE_UNKNOWN naming those that are there, CUP_SCHEDULE_FOREIGN
 */
export async function ownedHandle(client: Client, id: string, environment: string): Promise<ScheduleHandle> {
  if (await describeOwned(client, id, environment)) return client.schedule.getHandle(id);
  const known = (await ownedIds(client, environment)).join(', ');
  throw cupelError('CUP_SCHEDULE_UNKNOWN', { schedule: id, known: known || 'none' });
}
