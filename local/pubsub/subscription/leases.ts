import { randomBytes } from 'node:crypto';
import type { Consumer } from './consumer.ts';
import type { Delivery, Outstanding } from './ordering.ts';

/** A message that is out, for so long. */
export interface Lease extends Outstanding {
  deadline: NodeJS.Timeout | undefined;
  /** Whoever holds it, for flow control. */
  consumer: Consumer | undefined;
}

// An ack id of the process before must mean nothing in this one.
const prefix = `${randomBytes(6).toString('hex')}-`;
let last = 0;

/** The messages of a subscription that are out, by their ack ids. */
export class Leases {
  readonly #leases = new Map<string, Lease>();
  readonly #expired: (lease: Lease) => void;

  /** @param expired called when the deadline of a message passes */
  constructor(expired: (lease: Lease) => void) {
    this.#expired = expired;
  }

  get(ackId: string): Lease | undefined {
    return this.#leases.get(ackId);
  }

  add({ message, attempt }: Delivery, consumer: Consumer | undefined, seconds: number): Lease {
    last += 1;
    const lease = { ackId: prefix + last, message, attempt, consumer, acked: false, deadline: undefined };
    this.#leases.set(lease.ackId, lease);
    this.extend(lease, seconds);
    return lease;
  }

  extend(lease: Lease, seconds: number): void {
    clearTimeout(lease.deadline);
    if (seconds < Infinity) lease.deadline = setTimeout(() => this.#expired(lease), seconds * 1000);
  }

  /** Its ack id means nothing from now on, and its holder has room again. */
  end(lease: Lease): Lease {
    if (this.#leases.delete(lease.ackId)) {
      clearTimeout(lease.deadline);
      lease.consumer?.release?.(lease.message);
    }
    return lease;
  }

  endAll(): void {
    for (const lease of this.#leases.values()) this.end(lease);
  }
}
