import {
  executeChild,
  ParentClosePolicy,
  setCurrentDetails,
  workflowInfo,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { short, waiting } from './activities.ts';
import { codeOf } from './failures.ts';
import { canonicalTime } from './range.ts';
import { SCHEDULED_START_TIME } from './search-attributes.ts';
import { stepOf } from './tick-step.ts';
import type { Step } from './tick-step.ts';
import { tagTick } from './visibility.ts';

/** What a schedule starts: the types of these workflows. */
export type TickKind = 'ingest' | 'pipeline' | 'nightlyGold' | 'maintain' | 'reconcile' | 'monitor';

/** Input of a tick. The arguments of a schedule never change, so the time comes from elsewhere. */
export interface TickInput {
  kind: TickKind;
  /** All but `nightlyGold` and `monitor`. */
  source?: string;
  /** `ingest`. */
  feed?: string;
  /** UTC. Default: the time that the schedule meant, jitter left out; the start of the workflow where no schedule started it. */
  nominalTime?: string;
}

/** What became of a tick. */
export interface TickResult {
  nominalTime: string;
  /** The workflow that it stands for. */
  workflowId: string;
  /** `joined`: it ran already. `held`: another run has the range, and the next tick plans it again. */
  state: 'done' | 'joined' | 'held';
  /** Workflow that has the range. */
  holder?: string;
}

/** Workflow `tick/<schedule>-<nominal time>`: starts the workflow that its nominal time stands for, or joins it, and waits. */
export async function tick(input: TickInput): Promise<TickResult> {
  const nominalTime = nominalTimeOf(input);
  tagTick(input.source, `**${input.kind}** for ${nominalTime}`);
  const step = await stepOf(input, nominalTime);
  const { workflowId } = step;
  const holder = await holderOf(input, step);
  if (holder) return held(nominalTime, workflowId, holder);
  setCurrentDetails(`**${input.kind}** for ${nominalTime}: waits for \`${workflowId}\``);
  try {
    return { nominalTime, workflowId, state: await startOrJoin(step) };
  } catch (error) {
    // Somebody was granted the range between the look and the start.
    const late = codeOf(error) === 'CUP_RANGE_LEASED' ? await holderOf(input, step) : null;
    if (late) return held(nominalTime, workflowId, late);
    throw error;
  }
}

function nominalTimeOf({ nominalTime }: TickInput): string {
  if (nominalTime) return canonicalTime(nominalTime);
  const { typedSearchAttributes, startTime } = workflowInfo();
  const meant = typedSearchAttributes.get(SCHEDULED_START_TIME) ?? startTime;
  return canonicalTime(`${meant.toISOString().slice(0, 19)}Z`);
}

/** Asked first, so that a long backfill leaves no row of failed runs behind. */
async function holderOf({ source }: TickInput, { range, workflowId }: Step): Promise<string | null> {
  if (!range || !source) return null;
  const holder = await short.holderOf({ source, range });
  return holder === workflowId ? null : holder;
}

function held(nominalTime: string, workflowId: string, holder: string): TickResult {
  setCurrentDetails(`**held**: \`${holder}\` has the range; the next tick plans it again`);
  return { nominalTime, workflowId, state: 'held', holder };
}

/** Whether a step is over is decided by what it finds, never by its id: a closed one may run again. */
async function startOrJoin({ type, workflowId, input }: Step): Promise<'done' | 'joined'> {
  try {
    await executeChild(type, {
      workflowId,
      args: [input],
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      // A tick that is terminated must not tear a run from its jobs.
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    });
    return 'done';
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
  await waiting.awaitWorkflow({ workflowId });
  return 'joined';
}
