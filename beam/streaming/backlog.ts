import { setTimeout as delay } from 'node:timers/promises';
import type { DeltaStore } from '../../src/lakehouse/deltas/index.ts';
import { isSettled } from '../../src/lakehouse/streams/index.ts';

/** A batch that was published and that nobody is known to have committed. */
interface Unsettled {
  batchId: string;
  table: string;
  /** When it was published, milliseconds since 1970. */
  atMs: number;
}

/** Milliseconds between two looks while the committer lags. */
const LOOK_MS = 500;

/** What the committer has yet to take. It makes a stream wait: messages are better off in Pub/Sub than in files nobody takes. */
export class Backlog {
  readonly #deltas: Pick<DeltaStore, 'readDone' | 'readManifest'>;
  readonly #maxLagMs: number;
  readonly #unsettled: Unsettled[] = [];

  /** @param maxLagMs age of the oldest batch from which on the stream waits */
  constructor(deltas: Pick<DeltaStore, 'readDone' | 'readManifest'>, maxLagMs: number) {
    this.#deltas = deltas;
    this.#maxLagMs = maxLagMs;
  }

  add(batch: Unsettled): void {
    this.#unsettled.push(batch);
  }

  /** Milliseconds that the oldest batch waits; 0 when all are settled. */
  async lagMs(): Promise<number> {
    for (let oldest = this.#unsettled[0]; oldest; oldest = this.#unsettled[0]) {
      const now = Date.now();
      if (!(await isSettled(this.#deltas, oldest, now))) return now - oldest.atMs;
      this.#unsettled.shift();
    }
    return 0;
  }

  /** Waits until the committer has caught up, or until the signal is given. Returns the lag. */
  async belowLimit(signal: AbortSignal): Promise<number> {
    for (;;) {
      const lag = await this.lagMs();
      if (lag <= this.#maxLagMs || signal.aborted) return lag;
      await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
