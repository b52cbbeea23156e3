import { setTimeout as delay } from 'node:timers/promises';
import { CupelError } from '../errors.ts';
import { BoundedQueue } from './bounded-queue.ts';
import type { Outcome } from './bounded-queue.ts';
import type { Transport } from './transports/types.ts';
import type { LineageEvent } from './types.ts';

/** What an emitter tells operators with. */
export interface EmitterReports {
  log: { warn(message: string, attributes: Record<string, unknown>): void };
  /** Counts events by what became of them. `gather`: facts were missing, so that there was no event to send. */
  count(by: { transport: Transport['kind'] | 'gather'; outcome: Outcome }, events: number): void;
}

/** Finds facts and makes events of them; it may read, and it is given up after a while. */
export type Gather = () => Promise<LineageEvent[]>;

/** Events and tasks that wait at most: an hour of a busy worker, some megabytes. */
const CAPACITY = 2_000;

/** Milliseconds after which facts that are not found yet are done without. */
const GATHER_WITHIN_MS = 30_000;

/**
 * Takes events in and sends them behind the back of whoever gave them: data never waits for lineage, and never fails with it. What
 * cannot be sent is logged by its code and counted.
 */
export class LineageEmitter {
  readonly #transports: { kind: Transport['kind']; queue: BoundedQueue<LineageEvent> }[];
  readonly #gathering: BoundedQueue<Gather>;
  readonly #reports: EmitterReports;
  readonly #ending = new AbortController();

  constructor(transports: Transport[], reports: EmitterReports, capacity = CAPACITY) {
    this.#reports = reports;
    const { signal } = this.#ending;
    this.#transports = transports.map((transport) => {
      const { kind } = transport;
      const send = (event: LineageEvent): Promise<void> => transport.send(event, signal);
      return { kind, queue: new BoundedQueue(capacity, send, this.#teller(kind)) };
    });
    this.#gathering = new BoundedQueue(capacity, (gather) => this.#gather(gather), this.#teller('gather'));
  }

  /** Sends what the task makes, after all that was given before. */
  add(gather: Gather): void {
    this.#gathering.add(gather);
  }

  /** Resolves once all that was given has left, or was given up. */
  async idle(): Promise<void> {
    await this.#gathering.idle();
    await Promise.all(this.#transports.map(({ queue }) => queue.idle()));
  }

  /** Lets what waits leave, for a while. */
  async close(withinMs: number): Promise<void> {
    const timer = new AbortController();
    await Promise.race([this.idle(), delay(withinMs, undefined, { signal: timer.signal }).catch(() => undefined)]);
    timer.abort();
    this.#gathering.close();
    this.#ending.abort();
    for (const { queue } of this.#transports) queue.close();
  }

  async #gather(gather: Gather): Promise<void> {
    const timer = new AbortController();
    const late = delay(GATHER_WITHIN_MS, undefined, { signal: timer.signal }).then(() => {
      throw new Error(`no facts within ${GATHER_WITHIN_MS} ms`);
    });
    late.catch(() => undefined); // lost to the facts
    try {
      const events = await Promise.race([gather(), late]);
      for (const event of events) for (const { queue } of this.#transports) queue.add(event);
    } finally {
      timer.abort();
    }
  }

  #teller(transport: Transport['kind'] | 'gather') {
    let dropping = false;
    return (outcome: Outcome, error?: unknown): void => {
      this.#reports.count({ transport, outcome }, 1);
      const told = dropping;
      dropping = outcome === 'dropped';
      // Of many in a row one line is enough: the count has the number.
      if (outcome === 'done' || (dropping && told)) return;
      const { code, message } = describe(outcome, error);
      this.#reports.log.warn('lineage was lost', { transport, outcome, code, reason: message });
    };
  }
}

function describe(outcome: Outcome, error: unknown): { code: string; message: string } {
  if (outcome === 'dropped') return { code: 'CUP_LINEAGE_UNAVAILABLE', message: 'too many events wait' };
  if (error instanceof CupelError) return { code: error.code, message: error.message };
  return { code: 'unknown', message: error instanceof Error ? error.message : String(error) };
}
