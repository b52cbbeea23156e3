import { setTimeout as delay } from 'node:timers/promises';
import { ScheduleAlreadyRunning } from '@temporalio/client';
import type { Client, ScheduleDescription } from '@temporalio/client';
import {
  compileScheduleOptions,
  encodeScheduleAction,
  encodeSchedulePolicies,
  encodeScheduleSpec,
} from '@temporalio/client/lib/schedule-helpers.js';
import { defaultDataConverter } from '@temporalio/common';
import { cupelError } from '../errors.ts';
import type { Change } from './changes.ts';
import { describeOwned, markOf } from './owned.ts';
import { declaredShape, differences, shapeOf } from './shape.ts';
import { toTemporal } from './to-temporal.ts';
import type { DeclaredSchedule } from './types.ts';

/** Temporal's code for a conflict token that is old. */
const FAILED_PRECONDITION = 9;

/** Times that an update begins anew because somebody else changed the schedule. */
const ATTEMPTS = 3;

/** An update takes effect a moment after it was answered; and a lost race is answered as if it were won. */
const SEEN_WITHIN_MS = 10_000;

/** Note of a schedule that was paused because the files do not know it any more. */
const vanishedNote = (now: Date): string => `not in the files of schedules since ${now.toISOString().slice(0, 19)}Z`;

const isAsDeclared = (known: ScheduleDescription, declared: DeclaredSchedule): boolean =>
  differences(shapeOf(known), declaredShape(declared)).length === 0;

const tokenOf = ({ raw }: ScheduleDescription): string => Buffer.from(raw.conflictToken ?? []).toString('hex');

/** Sends spec, action and policies, with the state just as it was read: whether it is paused belongs to people. */
async function send(client: Client, declared: DeclaredSchedule, known: ScheduleDescription): Promise<boolean> {
  const { options, workflowService } = client.schedule;
  const { scheduleId, spec, action, policies } = toTemporal(declared);
  const compiled = compileScheduleOptions({ scheduleId, spec, action, policies });
  try {
    await workflowService.updateSchedule({
      namespace: options.namespace,
      identity: options.identity,
      scheduleId,
      conflictToken: known.raw.conflictToken ?? null,
      schedule: {
        spec: encodeScheduleSpec(spec),
        action: await encodeScheduleAction(defaultDataConverter, options.namespace, compiled.action, {}),
        policies: encodeSchedulePolicies(policies),
        state: known.raw.schedule?.state ?? null,
      },
    });
    return true;
  } catch (error) {
    if ((error as { code?: number }).code === FAILED_PRECONDITION) return false;
    throw error;
  }
}

/** Whether an update took effect, as far as the schedule itself tells. */
async function tookEffect(
  client: Client,
  declared: DeclaredSchedule,
  environment: string,
  before: string,
): Promise<boolean> {
  const deadline = Date.now() + SEEN_WITHIN_MS;
  do {
    const known = await describeOwned(client, declared.id, environment);
    if (!known) return false;
    if (isAsDeclared(known, declared)) return true;
    if (tokenOf(known) !== before) return false; // another change was first
    await delay(100);
  } while (Date.now() < deadline);
  return false;
}

async function update(client: Client, declared: DeclaredSchedule, environment: string): Promise<void> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const known = await describeOwned(client, declared.id, environment);
    if (!known) return create(client, declared, environment);
    if (isAsDeclared(known, declared)) return;
    const sent = await send(client, declared, known);
    if (sent && (await tookEffect(client, declared, environment, tokenOf(known)))) return;
  }
  throw cupelError('CUP_SCHEDULE_CHANGED', { schedule: declared.id, attempts: ATTEMPTS });
}

async function create(client: Client, declared: DeclaredSchedule, environment: string): Promise<void> {
  try {
    await client.schedule.create({ ...toTemporal(declared), memo: { ...markOf(environment) } });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    await update(client, declared, environment);
  }
}

/**
 * Does what `findChanges` found, one schedule after the other.
 *
 * @param declared as it was given to `findChanges`
 * @throws CupelError CUP_SCHEDULE_CHANGED when somebody changes a schedule again and again meanwhile, CUP_SCHEDULE_FOREIGN
 */
export async function applyChanges(
  client: Client,
  changes: Change[],
  declared: DeclaredSchedule[],
  environment: string,
): Promise<void> {
  const byId = new Map(declared.map((schedule) => [schedule.id, schedule]));
  for (const { id, action } of changes) {
    const schedule = byId.get(id);
    if (action === 'create' && schedule) await create(client, schedule, environment);
    if (action === 'update' && schedule) await update(client, schedule, environment);
    if (action === 'pause') await client.schedule.getHandle(id).pause(vanishedNote(new Date()));
    if (action === 'delete') await client.schedule.getHandle(id).delete();
  }
}
