import type { Consumer, Received } from '../subscription/consumer.ts';
import type { ExportTarget } from './target.ts';

/** Between the attempts of a message that cannot be written, doubled each time; Google's grows to 60 s. */
const BACKOFF = { leastMs: 100, mostMs: 10_000 };

/** A consumer that writes to a table or a bucket: it takes messages only while that can be written, and keeps them till then. */
export function exportConsumer(target: ExportTarget, most: number, deliver: (messages: Received[]) => void): Consumer {
  let out = 0;
  return {
    ackDeadlineSeconds: Infinity,
    backoff: BACKOFF,
    room: () => (target.usable ? most - out : 0),
    deliver(messages) {
      out += messages.length;
      deliver(messages);
    },
    release() {
      out -= 1;
    },
    end: () => target.stop(),
  };
}
