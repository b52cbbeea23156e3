import type { BigQuery, Job } from '@google-cloud/bigquery';
import { timestamp } from '../grpc.ts';
import type { PlannedAction } from './project.ts';
import { targetOf } from './targets.ts';

export type ActionState = 'PENDING' | 'RUNNING' | 'SKIPPED' | 'DISABLED' | 'SUCCEEDED' | 'CANCELLED' | 'FAILED';

/** An action as it is kept. */
export interface ActionRecord {
  plan: PlannedAction;
  state: ActionState;
  jobId?: string;
  failureReason?: string;
  startTime?: object;
  endTime?: object;
}

/** Where and for which invocation actions run. */
export interface ActionContext {
  bigquery: BigQuery;
  location: string;
  /** The last part of the invocation's name. */
  invocationId: string;
}

/** Label values: at most 63 of lower-case letters, digits, - and _ (Google Cloud, "Requirements for labels"). */
const label = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, '_')
    .slice(0, 63);

/** Times that a statement is begun again because the stand-in for BigQuery died under it; Google's own does not. */
const MAX_LOST = 3;

/** Whether BigQuery died before it answered, or has forgotten the job. */
function isLost(error: unknown): boolean {
  const { code, message = '' } = error as { code?: unknown; message?: string };
  return (code === 404 && /job/i.test(message)) || code === 503 || code === 'ECONNRESET' || code === 'ECONNREFUSED';
}

/** One action of an invocation: its tasks run one after the other, a BigQuery job each. */
export class Action {
  readonly plan: PlannedAction;
  #state: ActionState;
  #cancelled = false;
  #job: Job | undefined;
  #jobId: string | undefined;
  #failureReason: string | undefined;
  #startTime: object | undefined;
  #endTime: object | undefined;

  constructor(plan: PlannedAction) {
    this.plan = plan;
    this.#state = plan.tasks.length ? 'PENDING' : 'DISABLED';
  }

  /** An action of a service that was killed; one that ran, or had not begun, runs from its beginning. */
  static restore(record: ActionRecord): Action {
    const action = new Action(record.plan);
    if (record.state === 'PENDING' || record.state === 'RUNNING') return action;
    action.#state = record.state;
    action.#jobId = record.jobId;
    action.#failureReason = record.failureReason;
    action.#startTime = record.startTime;
    action.#endTime = record.endTime;
    return action;
  }

  /** What `restore` needs. */
  record(): ActionRecord {
    const [jobId, failureReason] = [this.#jobId, this.#failureReason];
    const [startTime, endTime] = [this.#startTime, this.#endTime];
    return {
      ...{ plan: this.plan, state: this.#state },
      ...(jobId ? { jobId } : {}),
      ...(failureReason ? { failureReason } : {}),
      ...(startTime ? { startTime } : {}),
      ...(endTime ? { endTime } : {}),
    };
  }

  get state(): ActionState {
    return this.#state;
  }

  /** The WorkflowInvocationAction message. */
  view(): object {
    const { target, tasks } = this.plan;
    const jobId = this.#jobId;
    const startTime = this.#startTime;
    const endTime = this.#endTime;
    return {
      target: targetOf(target),
      canonicalTarget: targetOf(target),
      state: this.#state,
      ...(this.#failureReason ? { failureReason: this.#failureReason } : {}),
      ...(startTime ? { invocationTiming: { startTime, ...(endTime ? { endTime } : {}) } } : {}),
      bigqueryAction: { sqlScript: tasks.map((task) => task.statement).join(';\n'), ...(jobId ? { jobId } : {}) },
    };
  }

  /** Stops it where it is: what runs in BigQuery is asked to end. */
  cancel(): void {
    this.#cancelled = true;
    if (this.#state === 'PENDING') this.#state = 'CANCELLED';
    // A job that has ended, or that BigQuery cannot cancel, ends by itself.
    if (this.#state === 'RUNNING') this.#job?.cancel().catch(() => undefined);
  }

  /** Runs it unless something that it needs did not succeed. Never rejects: failing is a state. */
  async run(needed: Action[], context: ActionContext): Promise<void> {
    if (this.#state !== 'PENDING') return;
    if (needed.some(({ state }) => state !== 'SUCCEEDED' && state !== 'DISABLED')) {
      this.#state = 'SKIPPED';
      return;
    }
    this.#state = 'RUNNING';
    this.#startTime = timestamp();
    try {
      for (const task of this.plan.tasks) if (!this.#cancelled) await this.#runToEnd(task, context);
      this.#state = this.#cancelled ? 'CANCELLED' : 'SUCCEEDED';
    } catch (error) {
      this.#state = this.#cancelled ? 'CANCELLED' : 'FAILED';
      if (!this.#cancelled) this.#failureReason = (error as Error).message;
    }
    this.#endTime = timestamp();
  }

  async #runToEnd(task: PlannedAction['tasks'][number], context: ActionContext): Promise<void> {
    for (let lost = 1; ; lost += 1) {
      try {
        return await this.#runTask(task, context);
      } catch (error) {
        if (this.#cancelled || lost === MAX_LOST || !isLost(error)) throw error;
      }
    }
  }

  async #runTask(task: PlannedAction['tasks'][number], context: ActionContext): Promise<void> {
    const { bigquery, location, invocationId } = context;
    const { schema, name } = this.plan.target;
    const labels = { dataform_invocation: label(invocationId), dataform_action: label(`${schema}_${name}`) };
    const [job] = await bigquery.createQueryJob({ query: task.statement, location, labels });
    this.#job = job;
    this.#jobId = job.id;
    if (this.#cancelled) await job.cancel().catch(() => undefined); // while the job was made
    const [rows] = await job.getQueryResults();
    if (task.type !== 'assertion') return;
    const found = Number(Object.values((rows[0] ?? {}) as Record<string, unknown>)[0] ?? 0);
    if (found > 0) throw new Error(`Assertion failed, expected zero rows, got ${found}`);
  }
}
