import { ApplicationFailure } from '@temporalio/workflow';
import { short } from './activities.ts';
import { goldId, ingestId, maintainId, monitorId, pipelineId, reconcileId } from './ids.ts';
import type { Range } from './range.ts';
import type { TickInput, TickKind } from './tick.ts';

/** The workflow that a tick stands for. */
export interface Step {
  type: TickKind;
  /** From the logical step, never from the tick. */
  workflowId: string;
  input: object;
  /** Range whose lease it takes. */
  range?: Range;
}

const HOUR = 3_600_000;

const iso = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');

/** A field that a kind of tick cannot do without. */
function demand(input: TickInput, field: 'source' | 'feed'): string {
  const value = input[field];
  if (value) return value;
  throw ApplicationFailure.nonRetryable(
    `CUP_TICK_INPUT: a tick of kind ${input.kind} needs a ${field}`,
    'CUP_TICK_INPUT',
  );
}

/** The hour of the time and `lookbackHours` before it: what may still have changed. */
async function lookback(source: string, at: number): Promise<Range> {
  const { lookbackHours = 0 } = await short.resolveContract({ source });
  const hour = Math.floor(at / HOUR) * HOUR;
  return { from: iso(hour - lookbackHours * HOUR), to: iso(hour + HOUR) };
}

type Plan = (input: TickInput, nominalTime: string, at: number) => Step | Promise<Step>;

const PLANS: Record<TickKind, Plan> = {
  ingest: (input, nominalTime) => {
    const [source, feed] = [demand(input, 'source'), demand(input, 'feed')];
    const workflowId = ingestId(source, feed, nominalTime);
    return { type: 'ingest', workflowId, input: { source, feed, nominalTime } };
  },
  pipeline: async (input, _, at) => {
    const source = demand(input, 'source');
    const range = await lookback(source, at);
    const workflowId = pipelineId(source, range.from, range.to);
    return { type: 'pipeline', workflowId, input: { source, ...range }, range };
  },
  /** Gold of the newest UTC day that had ended. */
  nightlyGold: (_input, _nominalTime, at) => {
    const date = iso(at - 24 * HOUR).slice(0, 10);
    return { type: 'nightlyGold', workflowId: goldId(date), input: { date } };
  },
  maintain: (input, nominalTime) => {
    const source = demand(input, 'source');
    return { type: 'maintain', workflowId: maintainId(source, nominalTime.slice(0, 10)), input: { source } };
  },
  reconcile: async (input, _, at) => {
    const source = demand(input, 'source');
    const range = await lookback(source, at);
    return { type: 'reconcile', workflowId: reconcileId(source, range.from, range.to), input: { source, ...range } };
  },
  monitor: (_input, nominalTime) => ({
    type: 'monitor',
    workflowId: monitorId(nominalTime),
    input: { at: nominalTime },
  }),
};

/**
 * What a tick of a kind starts at a nominal time.
 *
 * @throws ApplicationFailure CUP_TICK_INPUT
 */
export async function stepOf(input: TickInput, nominalTime: string): Promise<Step> {
  const plan = Object.hasOwn(PLANS, input.kind) ? PLANS[input.kind] : undefined;
  if (plan) return plan(input, nominalTime, Date.parse(nominalTime));
  throw ApplicationFailure.nonRetryable(
    `CUP_TICK_INPUT: expected kind to be one of ${Object.keys(PLANS).join(', ')}, found ${String(input.kind)}`,
    'CUP_TICK_INPUT',
  );
}
