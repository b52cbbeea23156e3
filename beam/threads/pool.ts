import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import pLimit from 'p-limit';
import type { Answers, JobParameters, Question } from './messages.ts';

/** Objects in work per thread: enough to hide the latency of reading, few enough to bound memory. */
const IN_WORK = 8;

/** Dataflow starts a process per core itself: there `CUPEL_JOB_THREADS=1`. Default: the cores, at most 4. */
function threadCount(): number {
  return Number(process.env.CUPEL_JOB_THREADS) || Math.min(4, availableParallelism());
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** One worker thread and the questions that it has not answered. */
class Thread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #limit = pLimit(IN_WORK);
  #next = 0;

  constructor(parameters: JobParameters) {
    this.#worker = new Worker(new URL('./thread.ts', import.meta.url), { workerData: parameters });
    this.#worker.on('message', (message: { id: number; result?: unknown; error?: string }) => this.#settle(message));
    this.#worker.on('error', (error: Error) => this.#fail(error));
    this.#worker.unref();
  }

  get load(): number {
    return this.#limit.activeCount + this.#limit.pendingCount;
  }

  ask(question: Question): Promise<unknown> {
    return this.#limit(() => {
      const id = this.#next++;
      this.#worker.ref();
      return new Promise((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        this.#worker.postMessage({ id, question });
      });
    });
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle({ id, result, error }: { id: number; result?: unknown; error?: string }): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (!this.#waiting.size) this.#worker.unref();
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }

  #fail(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}

/** Worker threads of one job in this process. */
export class Pool {
  readonly #threads: Thread[];

  constructor(parameters: JobParameters) {
    this.#threads = Array.from({ length: threadCount() }, () => new Thread(parameters));
  }

  /** Asks the least busy thread. */
  ask<Op extends Question['op']>(question: Extract<Question, { op: Op }>): Promise<Answers[Op]> {
    const [first, ...others] = this.#threads;
    const idlest = others.reduce((best, thread) => (best && thread.load < best.load ? thread : best), first);
    return idlest?.ask(question) as Promise<Answers[Op]>;
  }

  /** Asks every thread. */
  askAll<Op extends Question['op']>(question: Extract<Question, { op: Op }>): Promise<Answers[Op][]> {
    return Promise.all(this.#threads.map((thread) => thread.ask(question) as Promise<Answers[Op]>));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.stop()));
  }
}

const pools = new Map<string, Pool>();

/** The pool of a job, made once per process: a DoFn is sent to workers as data, so it cannot carry one. */
export function poolOf(parameters: JobParameters): Pool {
  let pool = pools.get(parameters.stage);
  if (!pool) {
    pool = new Pool(parameters);
    pools.set(parameters.stage, pool);
  }
  return pool;
}

/** Ends every pool of this process. */
export async function stopPools(): Promise<void> {
  await Promise.all([...pools.values()].map((pool) => pool.stop()));
  pools.clear();
}
