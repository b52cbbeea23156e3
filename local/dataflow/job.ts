import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { timestamp } from '../grpc.ts';
import { dieWithUs, signalGroup } from '../process.ts';

export type JobState =
  | 'JOB_STATE_QUEUED'
  | 'JOB_STATE_RUNNING'
  | 'JOB_STATE_DONE'
  | 'JOB_STATE_FAILED'
  | 'JOB_STATE_CANCELLING'
  | 'JOB_STATE_CANCELLED'
  | 'JOB_STATE_DRAINING'
  | 'JOB_STATE_DRAINED';

const TERMINAL = new Set<string>([
  'JOB_STATE_DONE',
  'JOB_STATE_FAILED',
  'JOB_STATE_CANCELLED',
  'JOB_STATE_UPDATED',
  'JOB_STATE_DRAINED',
]);

/** Lines of standard error that a failure quotes. */
const QUOTED_LINES = 20;

/** A command that runs a template. */
export interface JobCommand {
  command: string;
  args: string[];
  env?: Record<string, string>;
}

/** A random id as Dataflow puts before its errors. */
export const errorId = (): string => randomBytes(8).toString('hex');

function newJobId(): string {
  const stamp = new Date().toISOString().replace('T', '_').replaceAll(':', '_').slice(0, 19);
  return `${stamp}-${randomBytes(8).readBigUInt64BE()}`;
}

/** The fields of a Job message that do not change. */
export interface JobDescription {
  projectId: string;
  location: string;
  name: string;
  type: 'JOB_TYPE_BATCH' | 'JOB_TYPE_STREAMING';
  labels: Record<string, string>;
}

/** One job: a child process that runs the template, its state, messages and metrics. */
export class Job {
  readonly id = newJobId();
  readonly description: JobDescription;
  readonly messages: { id: string; time: object; messageText: string; messageImportance: string }[] = [];
  readonly #metrics = new Map<string, object>();
  readonly #created = timestamp();
  readonly #logFile: string;
  readonly #lastErrors: string[] = [];
  #state: JobState = 'JOB_STATE_QUEUED';
  #stateTime = this.#created;
  #child: ChildProcess | undefined;
  #endAs: JobState | undefined;

  constructor(description: JobDescription, logFile: string) {
    this.description = description;
    this.#logFile = logFile;
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

  /** The Job message; labels only where the view promises them. */
  view(view: string | undefined): object {
    const { labels, ...rest } = this.description;
    const described = view === 'JOB_VIEW_ALL' || view === 'JOB_VIEW_DESCRIPTION';
    const times = { createTime: this.#created, startTime: this.#created, currentStateTime: this.#stateTime };
    return { id: this.id, ...rest, ...(described ? { labels } : {}), currentState: this.#state, ...times };
  }

  start({ command, args, env }: JobCommand): void {
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    dieWithUs(child);
    child.once('spawn', () => this.#enter('JOB_STATE_RUNNING'));
    child.once('error', (error) => this.#fail(`Template launch failed: ${error.message}`));
    this.#read(child.stdout, (line) => this.#output(line));
    this.#read(child.stderr, (line) => this.#error(line));
    child.once('close', (code, signal) => this.#ended(code, signal));
  }

  /** Stops the process; the job ends in the state given, whatever the process makes of it. */
  stop(via: JobState, endAs: JobState, signal: NodeJS.Signals): void {
    this.#enter(via);
    this.#endAs = endAs;
    if (this.#child) signalGroup(this.#child, signal);
    else this.#enter(endAs);
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
    const name = {
      origin: 'user',
      name: metric.metric,
      context: { namespace: metric.namespace ?? '', step: metric.step ?? '' },
    };
    const scalar = { kind: 'numberValue', numberValue: metric.value };
    this.#metrics.set(`${metric.namespace}/${metric.step}/${metric.metric}`, { name, scalar, updateTime: timestamp() });
  }

  #error(line: string): void {
    this.#lastErrors.push(line);
    if (this.#lastErrors.length > QUOTED_LINES) this.#lastErrors.shift();
    this.#say('JOB_MESSAGE_DETAILED', line);
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): void {
    if (!this.active) return;
    if (this.#endAs) return this.#enter(this.#endAs);
    if (code === 0) return this.#enter('JOB_STATE_DONE');
    this.#fail(`Workflow failed. Causes: worker ended with ${code ?? signal}: ${this.#lastErrors.join('\n')}`);
  }

  #fail(text: string): void {
    this.#say('JOB_MESSAGE_ERROR', text);
    this.#enter('JOB_STATE_FAILED');
  }

  #say(messageImportance: string, messageText: string): void {
    this.messages.push({ id: errorId(), time: timestamp(), messageText, messageImportance });
  }

  #enter(state: JobState): void {
    if (!this.active) return;
    this.#state = state;
    this.#stateTime = timestamp();
    this.#say('JOB_MESSAGE_BASIC', `Job state changed to ${state}`);
  }
}

function readMetric(line: string): { metric: string; value: number; namespace?: string; step?: string } | undefined {
  if (!line.startsWith('{"metric"')) return undefined;
  try {
    return JSON.parse(line) as { metric: string; value: number };
  } catch {
    return undefined;
  }
}
