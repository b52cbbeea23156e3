import { timestamp } from '../grpc.ts';
import { Action } from './action.ts';
import type { ActionContext, ActionRecord } from './action.ts';
import type { PlannedAction } from './project.ts';
import { keyOf } from './targets.ts';

type InvocationState = 'RUNNING' | 'SUCCEEDED' | 'CANCELLED' | 'FAILED' | 'CANCELING';

/** WorkflowInvocation, the part that a client gives. */
export interface InvocationRequest {
  compilationResult: string;
  invocationConfig?: object;
}

/** An invocation as it is kept. */
export interface InvocationRecord {
  name: string;
  request: InvocationRequest;
  started: ReturnType<typeof timestamp>;
  state: InvocationState;
  ended?: object;
  failure?: string;
  /** Undefined until they are planned. */
  actions?: ActionRecord[];
}

/** One run of a compilation result: its actions in the order of the graph, each as soon as what it needs has succeeded. */
export class Invocation {
  readonly name: string;
  readonly request: InvocationRequest;
  readonly #keep: (record: InvocationRecord) => void;
  #started = timestamp();
  readonly #planning = new AbortController();
  #ended: object | undefined;
  #state: InvocationState = 'RUNNING';
  #actions: Action[] | undefined;
  #failure: string | undefined;

  /** @param keep told at each change */
  constructor(name: string, request: InvocationRequest, keep: (record: InvocationRecord) => void) {
    this.name = name;
    this.request = request;
    this.#keep = keep;
  }

  /** An invocation of a service that was killed. One that ran has to be run again, and goes on where it was. */
  static restore(record: InvocationRecord, keep: (record: InvocationRecord) => void): Invocation {
    const invocation = new Invocation(record.name, record.request, keep);
    invocation.#started = record.started;
    invocation.#state = record.state;
    invocation.#ended = record.ended;
    invocation.#failure = record.failure;
    invocation.#actions = record.actions?.map((action) => Action.restore(action));
    if (record.state === 'CANCELING') {
      for (const action of invocation.#actions ?? []) action.cancel();
      invocation.#end('CANCELLED');
    }
    return invocation;
  }

  get running(): boolean {
    return this.#state === 'RUNNING';
  }

  get started(): number {
    return Number(this.#started.seconds) * 1000 + this.#started.nanos / 1e6;
  }

  /** The WorkflowInvocation message. */
  view(): object {
    const invocationTiming = { startTime: this.#started, ...(this.#ended ? { endTime: this.#ended } : {}) };
    return {
      ...this.request,
      name: this.name,
      state: this.#state,
      invocationTiming,
      resolvedCompilationResult: this.request.compilationResult,
    };
  }

  /** The WorkflowInvocationAction messages; a run that failed before its first action shows as one failed action. */
  actions(): object[] {
    const failed = { state: 'FAILED', failureReason: this.#failure, target: { name: 'plan' } };
    return [...(this.#failure ? [failed] : []), ...(this.#actions ?? []).map((action) => action.view())];
  }

  /** Stops planning and every action; what has ended already stays as it is. */
  cancel(): void {
    if (this.#state !== 'RUNNING') return;
    this.#state = 'CANCELING';
    this.#planning.abort();
    for (const action of this.#actions ?? []) action.cancel();
    this.#changed();
  }

  /** Plans and runs; ends in a terminal state, whatever happens. */
  async run(plan: (signal: AbortSignal) => Promise<PlannedAction[]>, context: ActionContext): Promise<void> {
    this.#changed();
    try {
      const actions = (this.#actions ??= (await plan(this.#planning.signal)).map((action) => new Action(action)));
      this.#changed();
      await this.#makeDatasets(actions, context);
      await this.#runActions(actions, context);
      this.#end(actions.some(({ state }) => state === 'FAILED') ? 'FAILED' : 'SUCCEEDED');
    } catch (error) {
      if (this.#state !== 'CANCELING') this.#failure = (error as Error).message;
      this.#end('FAILED');
    }
  }

  #end(state: InvocationState): void {
    this.#ended = timestamp();
    this.#state = this.#state === 'CANCELING' ? 'CANCELLED' : state;
    this.#changed();
  }

  #changed(): void {
    const [ended, failure] = [this.#ended, this.#failure];
    const actions = this.#actions?.map((action) => action.record());
    this.#keep({
      ...{ name: this.name, request: this.request, started: this.#started, state: this.#state },
      ...(ended ? { ended } : {}),
      ...(failure ? { failure } : {}),
      ...(actions ? { actions } : {}),
    });
  }

  /** The service makes the datasets of what it runs; the CLI's plan leaves that out. */
  async #makeDatasets(actions: Action[], { bigquery, location }: ActionContext): Promise<void> {
    const enabled = actions.filter(({ state }) => state === 'PENDING');
    for (const schema of new Set(enabled.map(({ plan }) => `${plan.target.database}.${plan.target.schema}`))) {
      if (this.#state === 'CANCELING') return;
      const [job] = await bigquery.createQueryJob({ query: `CREATE SCHEMA IF NOT EXISTS \`${schema}\``, location });
      await job.getQueryResults();
    }
  }

  async #runActions(actions: Action[], context: ActionContext): Promise<void> {
    const byKey = new Map(actions.map((action) => [keyOf(action.plan.target), action]));
    const running = new Map<Action, Promise<void>>();
    const start = (action: Action): Promise<void> => {
      let run = running.get(action);
      if (!run) {
        const needed = (action.plan.dependencyTargets ?? []).flatMap((target) => byKey.get(keyOf(target)) ?? []);
        run = Promise.all(needed.map(start))
          .then(() => action.run(needed, context))
          .then(() => this.#changed());
        running.set(action, run);
      }
      return run;
    };
    await Promise.all(actions.map(start));
  }
}
