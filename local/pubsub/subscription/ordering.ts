import type { Message } from '../messages.ts';

/** A message on its way, and how often it was on it, this time included. */
export interface Delivery {
  message: Message;
  attempt: number;
}

/** A message that is out. */
export interface Outstanding extends Delivery {
  ackId: string;
  /** Acknowledged, though not settled before those that precede it under its ordering key. */
  acked: boolean;
}

/** One ordering key. */
interface Lane<Out extends Outstanding> {
  /** Whoever has its messages: nobody else gets more of them meanwhile. */
  holder: object;
  /** Delivered and not settled, in order. */
  out: Out[];
  /** What waits until those are settled, in order. */
  held: Delivery[];
  /** Pauses between attempts that have not ended. */
  pauses: number;
}

/**
 * Keeps the order within ordering keys, as Pub/Sub does: one receiver at a time has a key's messages, and where one of them
 * comes again, all that follow it do, those too that were acknowledged meanwhile.
 */
export class Ordering<Out extends Outstanding> {
  readonly #lanes = new Map<string, Lane<Out>>();
  readonly #release: (deliveries: Delivery[]) => void;

  /** @param release takes back what may go out now, before all that waits */
  constructor(release: (deliveries: Delivery[]) => void) {
    this.#release = release;
  }

  /** Whether a message may go to a receiver now; one that may not is held. */
  admit(key: string, delivery: Delivery, holder: object, oneAtATime: boolean): boolean {
    const lane = this.#lanes.get(key);
    if (!lane) {
      this.#lanes.set(key, { holder, out: [], held: [], pauses: 0 });
      return true;
    }
    if (!lane.pauses && !lane.held.length && !oneAtATime && lane.holder === holder) return true;
    lane.held.push(delivery);
    return false;
  }

  delivered(key: string, out: Out): void {
    this.#lanes.get(key)?.out.push(out);
  }

  /** Ids of messages that are settled now that this one is acknowledged. */
  acked(key: string, out: Out): string[] {
    const lane = this.#lanes.get(key);
    if (!lane) return [];
    out.acked = true;
    const first = lane.out.findIndex(({ acked }) => !acked);
    const settled = lane.out.splice(0, first < 0 ? lane.out.length : first);
    this.#free(key, lane);
    return settled.map(({ message }) => message.messageId);
  }

  /** Takes back a message and all that follow it; they are held. Answers those that follow. */
  revoke(key: string, out: Out, attempt: number): Out[] {
    const lane = this.#lanes.get(key);
    if (!lane) return [];
    const [, ...later] = lane.out.splice(lane.out.indexOf(out));
    lane.held.unshift(
      { message: out.message, attempt },
      ...later.map(({ message, attempt }) => ({ message, attempt })),
    );
    lane.pauses += 1;
    return later;
  }

  /** Ends the pause that `revoke` has begun. */
  resume(key: string): void {
    const lane = this.#lanes.get(key);
    if (!lane) return;
    lane.pauses -= 1;
    this.#free(key, lane);
  }

  clear(): void {
    this.#lanes.clear();
  }

  #free(key: string, lane: Lane<Out>): void {
    if (lane.out.length || lane.pauses) return;
    this.#lanes.delete(key);
    if (lane.held.length) this.#release(lane.held);
  }
}
