import { ContinueAsNew, isCancellation, proxySinks, TemporalFailure, workflowInfo } from '@temporalio/workflow';
import type {
  Next,
  Sinks,
  WorkflowExecuteInput,
  WorkflowInboundCallsInterceptor,
  WorkflowInterceptorsFactory,
  WorkflowOutboundCallsInterceptor,
} from '@temporalio/workflow';
import { failureText } from './failure-text.ts';
import { parentageIn, withParentage } from './header.ts';
import type { EventType, Parentage, RunReference } from '../../lineage/types.ts';
import { TOLD_ACTIVITIES, workflowJob } from './workflow-run.ts';
import type { WorkflowRun } from './workflow-run.ts';
import { codeOf, messageOf } from '../failures.ts';

/** How workflows tell of their runs: outside of their history, so that a replay tells nothing, and whether anybody listens changes nothing. */
export interface LineageSinks extends Sinks {
  lineage: { run(run: WorkflowRun): void };
}

const { lineage } = proxySinks<LineageSinks>();

type Outbound<K extends keyof WorkflowOutboundCallsInterceptor> = NonNullable<WorkflowOutboundCallsInterceptor[K]>;

/** Tells how a workflow's run begins and ends, and hands down to activities and children what they are part of. */
class LineageOfWorkflow implements WorkflowInboundCallsInterceptor, WorkflowOutboundCallsInterceptor {
  /** What this run is part of. */
  #above: Parentage | undefined;
  /** What others that it starts are part of. */
  #own: Parentage | undefined;

  async execute(input: WorkflowExecuteInput, next: Next<WorkflowInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    const { workflowType, runId } = workflowInfo();
    this.#above = parentageIn(input.headers);
    this.#own = this.#above;
    const known = workflowJob(workflowType, input.args[0]);
    if (!known) return next(input);
    const parent: RunReference = { runId, job: known.job };
    this.#own = { parent, root: this.#above?.root ?? parent };
    const tell = (type: EventType, failure?: string): void =>
      lineage.run({
        ...known,
        type,
        at: Date.now(),
        runId,
        ...(this.#above ? { parentage: this.#above } : {}),
        ...(failure === undefined ? {} : { failure }),
      });
    tell('START');
    try {
      const result = await next(input);
      tell('COMPLETE');
      return result;
    } catch (error) {
      tellEnd(error, tell);
      throw error;
    }
  }

  scheduleActivity: Outbound<'scheduleActivity'> = (input, next) =>
    next(TOLD_ACTIVITIES.has(input.activityType) ? this.#handDown(input) : input);

  scheduleLocalActivity: Outbound<'scheduleLocalActivity'> = (input, next) =>
    next(TOLD_ACTIVITIES.has(input.activityType) ? this.#handDown(input) : input);

  startChildWorkflowExecution: Outbound<'startChildWorkflowExecution'> = (input, next) => next(this.#handDown(input));

  continueAsNew: Outbound<'continueAsNew'> = (input, next) =>
    next({ ...input, headers: withParentage(input.headers, this.#above) });

  #handDown<T extends { headers: Parameters<typeof withParentage>[0] }>(input: T): T {
    return { ...input, headers: withParentage(input.headers, this.#own) };
  }
}

function tellEnd(error: unknown, tell: (type: EventType, failure?: string) => void): void {
  if (error instanceof ContinueAsNew) return tell('COMPLETE');
  if (isCancellation(error)) return tell('ABORT', 'cancelled');
  // Anything else fails the workflow's task, which is tried again, and not its run.
  if (error instanceof TemporalFailure) tell('FAIL', failureText(codeOf(error), messageOf(error)));
}

/** What the worker loads beside the workflows. */
export const interceptors: WorkflowInterceptorsFactory = () => {
  const run = new LineageOfWorkflow();
  return { inbound: [run], outbound: [run] };
};
