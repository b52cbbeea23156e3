import { timestamp } from '../grpc.ts';
import { Action } from './action.ts';
import type { ActionContext } from './action.ts';
import type { PlannedAction } from './project.ts';
import { keyOf } from './targets.ts';

type InvocationState = 'RUNNING' | 'SUCCEEDED' | 'CANCELLED' | 'FAILED' | 'CANCELING';

/** WorkflowInvocation, the part that a client gives. */
export interface InvocationRequest {
  compilationResult: string;
  invocationConfig?: object;
}

/** One run of a compilation result: its actions in the order of the graph, each as soon as what it needs has succeeded. */
export class Invocation {
  readonly name: string;
  readonly request: InvocationRequest;
  readonly #started = timestamp();
  readonly #planning = new AbortController();
  #ended: object | undefined;
  #state: InvocationState = 'RUNNING';
  #actions: Action[] = [];
  #failure: string | undefined;

  constructor(name: string, request: InvocationRequest) {
    this.name = name;
    this.request = request;
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
    return [...(this.#failure ? [failed] : []), ...this.#actions.map((action) => action.view())];
  }

  /** Stops planning and every action; what has ended already stays as it is. */
  cancel(): void {
    if (this.#state !== 'RUNNING') return;
    this.#state = 'CANCELING';
    this.#planning.abort();
    for (const action of this.#actions) action.cancel();
  }

  /** Plans and runs; ends in a terminal state, whatever happens. */
  async run(plan: (signal: AbortSignal) => Promise<PlannedAction[]>, context: ActionContext): Promise<void> {
    try {
      this.#actions = (await plan(this.#planning.signal)).map((action) => new Action(action));
      await this.#makeDatasets(context);
      await this.#runActions(context);
      this.#end(this.#actions.some(({ state }) => state === 'FAILED') ? 'FAILED' : 'SUCCEEDED');
    } catch (error) {
      if (this.#state !== 'CANCELING') this.#failure = (error as Error).message;
      this.#end('FAILED');
    }
  }

  #end(state: InvocationState): void {
    this.#ended = timestamp();
    this.#state = this.#state === 'CANCELING' ? 'CANCELLED' : state;
  }

  /** The service makes the datasets of what it runs; the CLI's plan leaves that out. */
  async #makeDatasets({ bigquery, location }: ActionContext): Promise<void> {
    const enabled = this.#actions.filter(({ state }) => state === 'PENDING');
    for (const schema of new Set(enabled.map(({ plan }) => `${plan.target.database}.${plan.target.schema}`))) {
      if (this.#state === 'CANCELING') return;
      const [job] = await bigquery.createQueryJob({ query: `CREATE SCHEMA IF NOT EXISTS \`${schema}\``, location });
      await job.getQueryResults();
    }
  }

  async #runActions(context: ActionContext): Promise<void> {
    const byKey = new Map(this.#actions.map((action) => [keyOf(action.plan.target), action]));
    const running = new Map<Action, Promise<void>>();
    const start = (action: Action): Promise<void> => {
      let run = running.get(action);
      if (!run) {
        const needed = (action.plan.dependencyTargets ?? []).flatMap((target) => byKey.get(keyOf(target)) ?? []);
        run = Promise.all(needed.map(start)).then(() => action.run(needed, context));
        running.set(action, run);
      }
      return run;
    };
    await Promise.all(this.#actions.map(start));
  }
}
