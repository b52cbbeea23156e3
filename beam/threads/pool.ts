import { Worker } from 'node:worker_threads';
import pLimit from 'p-limit';
import type { Answers, JobParameters, Question } from './messages.ts';
import { threadCount } from './thread-count.ts';

/** Objects in work per thread: enough to hide the latency of reading, few enough to bound memory. */
const IN_WORK = 8;

/** Rows live longer than V8 expects of young objects: with its default they are moved again and again. */
const YOUNG_MB = 128;

type Waiting = PromiseWithResolvers<unknown>;

/** One worker thread and the questions that it has not answered. */
class Thread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  /** Questions that only this thread is to answer wait here for their turn. */
  readonly own = pLimit(IN_WORK);
  #next = 0;

  constructor(contract: string) {
    this.#worker = new Worker(new URL('./thread.ts', import.meta.url), {
      workerData: contract,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    });
    this.#worker.on('message', (message: { id: number; result?: unknown; error?: string }) => this.#settle(message));
    this.#worker.on('error', (error: Error) => this.#fail(error));
    this.#worker.unref();
  }

  /** Questions without an answer yet. */
  get load(): number {
    return this.#waiting.size;
  }

  ask(question: Question): Promise<unknown> {
    const id = this.#next++;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    this.#worker.ref();
    this.#worker.postMessage({ id, question });
    return waiting.promise;
  }

  /** Settles when what it has been asked so far is answered, or has failed. */
  async quiet(): Promise<void> {
    await Promise.allSettled([...this.#waiting.values()].map(({ promise }) => promise));
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
  readonly #contract: string;
  readonly #most = threadCount();
  readonly #threads: Thread[];
  /** Parts of what is read that have a thread, in the order of the threads. */
  readonly #parts: number[] = [];
  /** One queue for all: whatever takes long, takes the others' turn. */
  readonly #limit;

  /** @param contract URI of the contract */
  constructor(contract: string) {
    this.#contract = contract;
    this.#threads = [new Thread(contract)];
    this.#limit = pLimit(IN_WORK * this.#most);
  }

  /**
   * Asks the least busy thread, as soon as one has room.
   *
   * @param place from 0 up to 1: questions of one place are asked of one thread. Default: any
   */
  ask<Op extends Question['op']>(question: Extract<Question, { op: Op }>, place?: number): Promise<Answers[Op]> {
    if (place === undefined) return this.#limit(() => this.#idlest().ask(question) as Promise<Answers[Op]>);
    const thread = this.#threadOf(Math.floor(place * this.#most));
    return thread.own(() => thread.ask(question) as Promise<Answers[Op]>);
  }

  /** Asks every thread, each as soon as it has answered what was asked before; no thread waits for another. */
  async askAll<Op extends Question['op']>(question: Extract<Question, { op: Op }>): Promise<Answers[Op][]> {
    // First come, first served: behind these, all that was asked before is with a thread.
    await this.#limit(() => undefined);
    const askOne = async (thread: Thread): Promise<Answers[Op]> => {
      await thread.own(() => undefined);
      await thread.quiet();
      return (await thread.ask(question)) as Answers[Op];
    };
    return Promise.all(this.#threads.map(askOne));
  }

  /** The least busy thread; another one where all have something to do: what little there is in a small batch is done by one. */
  #idlest(): Thread {
    const idlest = this.#threads.reduce((best, thread) => (thread.load < best.load ? thread : best));
    return !idlest.load || this.#threads.length === this.#most ? idlest : this.#threadAt(this.#threads.length);
  }

  /** Each part has a thread of its own, and there are no more threads than parts that were asked for. */
  #threadOf(part: number): Thread {
    const at = this.#parts.indexOf(part);
    return this.#threadAt(at < 0 ? this.#parts.push(part) - 1 : at);
  }

  /** A thread that is there, or the next one. */
  #threadAt(index: number): Thread {
    const thread = this.#threads[index] ?? new Thread(this.#contract);
    this.#threads[index] = thread;
    return thread;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.stop()));
  }
}

const pools = new Map<string, Pool>();

/** The pool of a contract, made once per process: a DoFn is sent to workers as data, so it cannot carry one. */
export function poolOf({ contract }: Pick<JobParameters, 'contract'>): Pool {
  let pool = pools.get(contract);
  if (!pool) {
    pool = new Pool(contract);
    pools.set(contract, pool);
  }
  return pool;
}

/** Ends every pool of this process. */
export async function stopPools(): Promise<void> {
  await Promise.all([...pools.values()].map((pool) => pool.stop()));
  pools.clear();
}
