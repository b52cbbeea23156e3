import type { BigQuery } from '@google-cloud/bigquery';
import { timestamp } from '../grpc.ts';
import type { PlannedAction, Target } from './project.ts';

type ActionState = 'PENDING' | 'RUNNING' | 'SKIPPED' | 'DISABLED' | 'SUCCEEDED' | 'CANCELLED' | 'FAILED';
type InvocationState = 'RUNNING' | 'SUCCEEDED' | 'CANCELLED' | 'FAILED' | 'CANCELING';

interface ActionRun {
  plan: PlannedAction;
  state: ActionState;
  failureReason?: string;
  jobId?: string;
  startTime?: object;
  endTime?: object;
}

const keyOf = ({ database, schema, name }: Target): string => `${database}.${schema}.${name}`;
const targetOf = ({ database, schema, name }: Target): Target => ({ database, schema, name });

/** One run of a compilation result: its actions in the order of the graph, each as soon as what it needs has succeeded. */
export class Invocation {
  readonly name: string;
  readonly request: { compilationResult: string; invocationConfig?: object };
  readonly #started = timestamp();
  #ended: object | undefined;
  #state: InvocationState = 'RUNNING';
  #actions: ActionRun[] = [];
  #failure: string | undefined;

  constructor(name: string, request: { compilationResult: string; invocationConfig?: object }) {
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

  /** The WorkflowInvocationAction messages. */
  actions(): object[] {
    if (this.#failure && !this.#actions.length)
      return [{ state: 'FAILED', failureReason: this.#failure, target: { name: 'plan' } }];
    return this.#actions.map(({ plan, state, failureReason, jobId, startTime, endTime }) => ({
      target: targetOf(plan.target),
      canonicalTarget: targetOf(plan.target),
      state,
      ...(failureReason ? { failureReason } : {}),
      ...(startTime ? { invocationTiming: { startTime, ...(endTime ? { endTime } : {}) } } : {}),
      bigqueryAction: { sqlScript: plan.tasks.map((task) => task.statement).join(';\n'), ...(jobId ? { jobId } : {}) },
    }));
  }

  cancel(): void {
    if (this.#state === 'RUNNING') this.#state = 'CANCELING';
  }

  /** Plans and runs; ends in a terminal state, whatever happens. */
  async run(plan: () => Promise<PlannedAction[]>, bigquery: BigQuery, location: string): Promise<void> {
    try {
      this.#actions = (await plan()).map((action) => ({
        plan: action,
        state: action.tasks.length ? 'PENDING' : 'DISABLED',
      }));
      await this.#runAll(bigquery, location);
      const failed = this.#actions.some(({ state }) => state === 'FAILED');
      this.#end(failed ? 'FAILED' : 'SUCCEEDED');
    } catch (error) {
      this.#failure = (error as Error).message;
      this.#end('FAILED');
    }
  }

  get #cancelled(): boolean {
    return this.#state === 'CANCELING';
  }

  #end(state: InvocationState): void {
    this.#ended = timestamp();
    this.#state = this.#cancelled ? 'CANCELLED' : state;
  }

  async #runAll(bigquery: BigQuery, location: string): Promise<void> {
    // The service makes the datasets of what it runs; the CLI's plan leaves that out.
    for (const schema of new Set(this.#actions.map(({ plan }) => `${plan.target.database}.${plan.target.schema}`))) {
      await bigquery
        .createQueryJob({ query: `CREATE SCHEMA IF NOT EXISTS \`${schema}\``, location })
        .then(([job]) => job.getQueryResults());
    }
    const byKey = new Map(this.#actions.map((action) => [keyOf(action.plan.target), action]));
    const running = new Map<ActionRun, Promise<void>>();
    const start = (action: ActionRun): Promise<void> => {
      let run = running.get(action);
      if (!run) {
        const needed = (action.plan.dependencyTargets ?? []).flatMap((target) => byKey.get(keyOf(target)) ?? []);
        run = Promise.all(needed.map(start)).then(() => this.#runAction(action, needed, bigquery, location));
        running.set(action, run);
      }
      return run;
    };
    await Promise.all(this.#actions.map(start));
  }

  async #runAction(action: ActionRun, needed: ActionRun[], bigquery: BigQuery, location: string): Promise<void> {
    if (action.state === 'DISABLED') return;
    if (this.#cancelled) action.state = 'CANCELLED';
    else if (needed.some(({ state }) => state !== 'SUCCEEDED' && state !== 'DISABLED')) action.state = 'SKIPPED';
    if (action.state !== 'PENDING') return;
    action.state = 'RUNNING';
    action.startTime = timestamp();
    try {
      for (const task of action.plan.tasks) await this.#runTask(action, task, bigquery, location);
      action.state = 'SUCCEEDED';
    } catch (error) {
      action.state = 'FAILED';
      action.failureReason = (error as Error).message;
    }
    action.endTime = timestamp();
  }

  async #runTask(
    action: ActionRun,
    task: PlannedAction['tasks'][number],
    bigquery: BigQuery,
    location: string,
  ): Promise<void> {
    const labels = { dataform_invocation: this.name.split('/').pop() ?? '' };
    const [job] = await bigquery.createQueryJob({ query: task.statement, location, labels });
    action.jobId = job.id ?? '';
    const [rows] = await job.getQueryResults();
    if (task.type !== 'assertion') return;
    const found = Number(Object.values((rows[0] ?? {}) as Record<string, unknown>)[0] ?? 0);
    if (found > 0) throw new Error(`Assertion failed, expected zero rows, got ${found}`);
  }
}
