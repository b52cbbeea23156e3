import { Context } from '@temporalio/activity';
import type { Info } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { ActivityCancellationDetails } from '@temporalio/common';
import type {
  ActivityExecuteInput,
  ActivityInboundCallsInterceptor,
  ActivityInterceptorsFactory,
  Next,
} from '@temporalio/worker';
import { CupelError } from '../../errors.ts';
import { runEvent, runIdOf } from '../../lineage/index.ts';
import type { EventType, LineageEmitter, LineageEvent } from '../../lineage/index.ts';
import { failureText } from '../../workflows/lineage/failure-text.ts';
import { parentageIn } from '../../workflows/lineage/header.ts';
import type { ActivityResources } from '../resources.ts';
import { LineageFacts } from './facts.ts';
import type { Call, End, Step } from './step.ts';
import { lineageSteps } from './steps.ts';

type AnyStep = Step<unknown, unknown>;

/**
 * How a failed attempt ends its run; undefined: it is tried again, and the run goes on.
 *
 * @param why of a cancellation. Default: somebody asked for it
 */
export function endOfFailure(
  error: unknown,
  { attempt, retryPolicy }: Pick<Info, 'attempt' | 'retryPolicy'>,
  why?: Pick<ActivityCancellationDetails, 'cancelRequested' | 'notFound'>,
): End | undefined {
  // A worker that ends cancels what it does; another one goes on with it.
  const asked = !why || why.cancelRequested || why.notFound;
  if (error instanceof CancelledFailure) return asked ? { type: 'ABORT', failure: 'cancelled' } : undefined;
  const last = attempt >= (retryPolicy?.maximumAttempts || Infinity);
  if (error instanceof CupelError)
    return error.retryable && !last ? undefined : { type: 'FAIL', failure: failureText(error.code, error.message) };
  const final = last || (error instanceof ApplicationFailure && error.nonRetryable);
  const code = error instanceof ApplicationFailure ? (error.type ?? undefined) : undefined;
  return final ? { type: 'FAIL', failure: failureText(code, (error as Error).message) } : undefined;
}

/** Tells what an activity's call does, behind its back. */
class LineageOfActivity implements ActivityInboundCallsInterceptor {
  readonly #emitter: LineageEmitter;
  readonly #namespace: string;
  readonly #step: AnyStep;
  readonly #info: Info;
  readonly #now: () => number;

  constructor(emitter: LineageEmitter, namespace: string, step: AnyStep, info: Info, now: () => number) {
    this.#emitter = emitter;
    this.#namespace = namespace;
    this.#step = step;
    this.#info = info;
    this.#now = now;
  }

  async execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    const [given] = input.args;
    const call = this.#call(input);
    if (!call) return next(input);
    const { side, outlives, ended = (): End => ({ type: 'COMPLETE' }) } = this.#step;
    if (side !== 'end' && this.#info.attempt === 1) this.#tell(call(), given, undefined, { type: 'START' });
    try {
      const result = await next(input);
      const end = side === 'start' ? undefined : ended(result);
      this.#end(call(), given, result, end);
      return result;
    } catch (error) {
      const end = endOfFailure(error, this.#info, Context.current().cancellationDetails);
      if (end && !outlives) this.#end(call(), given, undefined, end);
      throw error;
    }
  }

  #call({ args, headers }: ActivityExecuteInput): (() => Call) | undefined {
    const { workflowExecution, activityId, scheduledTimestampMs } = this.#info;
    const { runId: nameOf = () => runIdOf('activity', workflowExecution?.runId ?? '', activityId) } = this.#step;
    const runId = nameOf(args[0]);
    const parentage = parentageIn(headers);
    return runId ? () => ({ runId, parentage, scheduledMs: scheduledTimestampMs, at: this.#now() }) : undefined;
  }

  #end(call: Call, given: unknown, result: unknown, end: End | undefined): void {
    const { also } = this.#step;
    if (also) this.#emitter.add(() => also(given, result, call));
    if (end) this.#tell(call, given, result, end);
  }

  #tell(
    call: Call,
    given: unknown,
    result: unknown,
    { type, failure }: { type: EventType; failure?: string | undefined },
  ) {
    const { work } = this.#step;
    if (!work) return;
    this.#emitter.add(async (): Promise<LineageEvent[]> => {
      const of = await work(given, result, call);
      const { runId, at, parentage } = call;
      return of ? [runEvent(this.#namespace, of, { runId, at, parentage, type, failure })] : [];
    });
  }
}

/** Lineage of activities, for a worker; none where nobody is told. */
export function lineageOfActivities(resources: ActivityResources): ActivityInterceptorsFactory[] {
  const { lineage: emitter, environment, now } = resources;
  if (!emitter || !environment.lineage) return [];
  const { namespace } = environment.lineage;
  const steps = lineageSteps(resources, new LineageFacts(resources)) as Record<string, AnyStep | undefined>;
  return [
    ({ info }: Context) => {
      const step = steps[info.activityType];
      return step ? { inbound: new LineageOfActivity(emitter, namespace, step, info, now) } : {};
    },
  ];
}
