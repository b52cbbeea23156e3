import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { timestamp } from '../grpc.ts';
import { dieWithUs, signalGroup } from '../process.ts';
import type { JobJournal, JobRecord } from './job-journal.ts';
import { TERMINAL } from './job-types.ts';
import type { JobCommand, JobDescription, JobMessage, JobState } from './job-types.ts';
import { readMetric } from './metric.ts';

/** Lines of standard error that a failure quotes. */
const QUOTED_LINES = 20;

/** Milliseconds that a process gets to end by itself once its job is cancelled or replaced. */
const GRACE_MS = 2_000;

/** A random id as Dataflow puts before its errors. */
export const errorId = (): string => randomBytes(8).toString('hex');

/** What a worker that died with the machine leaves behind, in Dataflow's words. */
const LOST = 'Workflow failed. Causes: The worker lost contact with the service.';

function newJobId(): string {
  const stamp = new Date().toISOString().replace('T', '_').replaceAll(':', '_').slice(0, 19);
  return `${stamp}-${randomBytes(8).readBigUInt64BE()}`;
}

/** One job: a child process that runs the template, its state, messages and metrics. */
export class Job {
  readonly id: string;
  readonly description: JobDescription;
  readonly messages: JobMessage[];
  readonly #metrics: Map<string, object>;
  readonly #created: ReturnType<typeof timestamp>;
  readonly #logFile: string;
  readonly #journal: JobJournal;
  readonly #lastErrors: string[] = [];
  readonly #over = Promise.withResolvers<void>();
  #state: JobState;
  #stateTime: object;
  #child: ChildProcess | undefined;
  #endAs: JobState | undefined;
  #replacedByJobId: string | undefined;

  private constructor(record: JobRecord, journal: JobJournal, logFile: string) {
    this.id = record.id;
    this.description = record.description;
    this.messages = record.messages;
    this.#metrics = new Map(record.metrics);
    this.#created = record.created;
    this.#state = record.state;
    this.#stateTime = record.stateTime;
    this.#replacedByJobId = record.replacedByJobId;
    this.#journal = journal;
    this.#logFile = logFile;
    if (!this.active) this.#over.resolve();
  }

  /** A new job, queued. */
  static create(description: JobDescription, journal: JobJournal, logFile: string): Job {
    const id = newJobId();
    const created = timestamp();
    journal.write(id, { description, created });
    const state = { state: 'JOB_STATE_QUEUED', stateTime: created } as const;
    return new Job({ id, description, created, ...state, messages: [], metrics: [] }, journal, logFile);
  }

  /** A job of a service that was killed, and of a process that died with it: whatever ran has ended. */
  static restore(record: JobRecord, journal: JobJournal, logFile: string): Job {
    const job = new Job(record, journal, logFile);
    if (record.replacedByJobId) job.#enter('JOB_STATE_UPDATED');
    else if (record.state === 'JOB_STATE_CANCELLING') job.#enter('JOB_STATE_CANCELLED');
    else if (job.active) job.#fail(LOST);
    return job;
  }

  get active(): boolean {
    return !TERMINAL.has(this.#state);
  }

  get state(): JobState {
    return this.#state;
  }

  get metrics(): object[] {
    return [...this.#metrics.values()];
  }

  /** Settles when the job is in a terminal state and its process is gone. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** The Job message; labels only where the view promises them. */
  view(view: string | undefined): object {
    const { labels, ...rest } = this.description;
    const described = view === 'JOB_VIEW_ALL' || view === 'JOB_VIEW_DESCRIPTION';
    const times = { createTime: this.#created, startTime: this.#created, currentStateTime: this.#stateTime };
    const replacedByJobId = this.#replacedByJobId;
    return {
      id: this.id,
      ...rest,
      ...(described ? { labels } : {}),
      ...(replacedByJobId ? { replacedByJobId } : {}),
      currentState: this.#state,
      ...times,
    };
  }

  /**
   * Starts the process, unless the job was stopped while it was queued.
   *
   * @param noted told its id, and (undefined) when it is gone
   */
  start(commandFor: () => JobCommand, noted: (pid: number | undefined) => void): void {
    if (!this.active) return;
    try {
      const { command, args, env } = commandFor();
      const all = { ...process.env, ...env };
      const child = spawn(command, args, { env: all, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
      noted(child.pid);
      child.once('exit', () => noted(undefined));
      this.#spawned(child);
    } catch (error) {
      this.#fail(`Template launch failed: ${(error as Error).message}`); // no command, or one that no process can have
    }
  }

  /** Asks the process to end and makes it. The job ends as cancelled, whatever the process makes of it. */
  cancel(): void {
    this.#enter('JOB_STATE_CANCELLING');
    this.#end('JOB_STATE_CANCELLED');
  }

  /** Lets the process finish what it has begun, for as long as it takes; only exit code 0 counts as drained. */
  drain(): void {
    // A cancelled job is not brought back.
    if (this.#state === 'JOB_STATE_CANCELLING') return;
    this.#enter('JOB_STATE_DRAINING');
    if (this.#child) signalGroup(this.#child, 'SIGTERM');
    else this.#enter('JOB_STATE_DRAINED');
  }

  /** Ends this job in favour of another one. */
  replace(byJobId: string): void {
    this.#replacedByJobId = byJobId;
    this.#journal.write(this.id, { replacedByJobId: byJobId });
    this.#end('JOB_STATE_UPDATED');
  }

  /** Ends the process at once, as when the machine goes away. */
  kill(): void {
    this.#endAs = 'JOB_STATE_CANCELLED';
    if (this.#child) signalGroup(this.#child, 'SIGKILL');
    else this.#enter('JOB_STATE_CANCELLED');
  }

  #end(as: JobState): void {
    this.#endAs = as;
    const child = this.#child;
    if (!child) return this.#enter(as);
    signalGroup(child, 'SIGTERM');
    const force = setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE_MS);
    child.once('close', () => clearTimeout(force));
  }

  #spawned(child: ChildProcess): void {
    this.#child = child;
    dieWithUs(child);
    child.once('spawn', () => {
      if (this.#state === 'JOB_STATE_QUEUED') this.#enter('JOB_STATE_RUNNING');
    });
    child.once('error', (error) => this.#fail(`Template launch failed: ${error.message}`));
    // What it left running would hold its output open.
    child.once('exit', () => signalGroup(child, 'SIGKILL'));
    this.#read(child.stdout, (line) => this.#output(line));
    this.#read(child.stderr, (line) => this.#error(line));
    child.once('close', (code, signal) => this.#ended(code, signal));
  }

  #read(stream: Readable | null, take: (line: string) => void): void {
    if (!stream) return;
    createInterface({ input: stream }).on('line', (line) => {
      appendFileSync(this.#logFile, `${line}\n`);
      take(line);
    });
  }

  /** Standard output: a metric as one JSON line, everything else a message. */
  #output(line: string): void {
    const metric = readMetric(line);
    if (!metric) return this.#say('JOB_MESSAGE_DETAILED', line);
    const { namespace = '', step = '' } = metric;
    const name = { origin: 'user', name: metric.metric, context: { namespace, step } };
    const scalar = { kind: 'numberValue', numberValue: metric.value };
    const key = `${namespace}/${step}/${metric.metric}`;
    const value = { name, scalar, updateTime: timestamp() };
    this.#metrics.set(key, value);
    this.#journal.write(this.id, { metric: [key, value] });
  }

  #error(line: string): void {
    this.#lastErrors.push(line);
    if (this.#lastErrors.length > QUOTED_LINES) this.#lastErrors.shift();
    this.#say('JOB_MESSAGE_DETAILED', line);
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): void {
    if (!this.active) return;
    if (this.#endAs) return this.#enter(this.#endAs);
    if (code === 0) return this.#enter(this.#state === 'JOB_STATE_DRAINING' ? 'JOB_STATE_DRAINED' : 'JOB_STATE_DONE');
    this.#fail(`Workflow failed. Causes: worker ended with ${code ?? signal}: ${this.#lastErrors.join('\n')}`);
  }

  #fail(text: string): void {
    this.#say('JOB_MESSAGE_ERROR', text);
    this.#enter('JOB_STATE_FAILED');
  }

  #say(messageImportance: string, messageText: string): void {
    const message = { id: errorId(), time: timestamp(), messageText, messageImportance };
    this.messages.push(message);
    this.#journal.write(this.id, { message });
  }

  #enter(state: JobState): void {
    if (!this.active || this.#state === state) return;
    this.#state = state;
    this.#stateTime = timestamp();
    this.#journal.write(this.id, { state, stateTime: this.#stateTime });
    this.#say('JOB_MESSAGE_BASIC', `Job state changed to ${state}`);
    if (!this.active) this.#over.resolve();
  }
}
