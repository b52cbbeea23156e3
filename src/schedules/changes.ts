import type { Client, ScheduleDescription } from '@temporalio/client';
import { describeOwned, ownedIds } from './owned.ts';
import { declaredShape, differences, shapeOf } from './shape.ts';
import type { Difference, Shape } from './shape.ts';
import type { DeclaredSchedule } from './types.ts';

/** What is to be done with one schedule. */
export type Change = { id: string; paused?: string } & (
  | { action: 'create'; shape: Shape }
  | { action: 'update'; differences: Difference[] }
  /** It vanished from the files. */
  | { action: 'pause' | 'delete' }
  | { action: 'keep' }
);

/** What people said of a paused schedule; undefined while it runs. */
function pauseOf({ state }: Pick<ScheduleDescription, 'state'>): { paused?: string } {
  return state.paused ? { paused: state.note || 'no reason given' } : {};
}

async function changeOf(client: Client, declared: DeclaredSchedule, environment: string): Promise<Change> {
  const { id } = declared;
  const known = await describeOwned(client, id, environment);
  const shape = declaredShape(declared);
  if (!known) return { id, action: 'create', shape };
  const found = differences(shapeOf(known), shape);
  const paused = pauseOf(known);
  return found.length ? { id, ...paused, action: 'update', differences: found } : { id, ...paused, action: 'keep' };
}

/**
 * What it takes to make Temporal's schedules as they are declared.
 *
 * @param remove whether what vanished from the files is deleted rather than paused
 * @throws CupelError CUP_SCHEDULE_FOREIGN
 */
export async function findChanges(
  client: Client,
  declared: DeclaredSchedule[],
  environment: string,
  remove = false,
): Promise<Change[]> {
  const changes = await Promise.all(declared.map((schedule) => changeOf(client, schedule, environment)));
  const ids = new Set(declared.map(({ id }) => id));
  const vanished = (await ownedIds(client, environment)).filter((id) => !ids.has(id));
  for (const id of vanished) {
    const known = await describeOwned(client, id, environment);
    if (!known) continue; // deleted meanwhile
    const paused = pauseOf(known);
    if (remove) changes.push({ id, ...paused, action: 'delete' });
    else changes.push({ id, ...paused, action: known.state.paused ? 'keep' : 'pause' });
  }
  return changes;
}
