import { workerPrototype } from './worker.ts';
import type { Worker } from './worker.ts';

// Data of a bundle comes in several messages, each handled without waiting for the one before: while that is still decoded, and
// the SDK pauses every 100 ms, the last one ends the bundle, and what was left of the others is lost.

interface Consumer {
  sendData(data: Uint8Array): Promise<void>;
  sendTimers(family: string, timers: Uint8Array): Promise<void>;
  close(): void;
  onError(error: unknown): void;
}

/** Data or timers for a step of a bundle. */
interface Part {
  instructionId: string;
  transformId: string;
  isLast: boolean;
}

interface Elements {
  data: (Part & { data: Uint8Array })[];
  timers: (Part & { timerFamilyId: string; timers: Uint8Array })[];
}

interface DataChannel {
  dataChannel: {
    removeAllListeners(event: 'data'): void;
    on(event: 'data', listener: (elements: Elements) => void): void;
  };
  consumers: Map<string, Map<string, Consumer>>;
  getConsumer(bundle: string, transform: string): Consumer;
  registerConsumer(bundle: string, transform: string, consumer: Consumer): Promise<void>;
  unregisterConsumer(bundle: string, transform: string): void;
}

/** Does one thing after the other for each step of each bundle. */
class Turns {
  readonly #last = new Map<string, Promise<void>>();

  take(bundle: string, transform: string, work: () => Promise<void>): Promise<void> {
    const key = `${bundle} ${transform}`;
    const turn = (this.#last.get(key) ?? Promise.resolve()).then(work);
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(key, settled);
    void settled.then(() => {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    });
    return turn;
  }
}

function inOrder(channel: DataChannel): void {
  const turns = new Turns();
  const hand = (part: Part, send: (consumer: Consumer) => Promise<void>): void => {
    const { instructionId: bundle, transformId: transform } = part;
    void turns.take(bundle, transform, async () => {
      const consumer = channel.getConsumer(bundle, transform);
      try {
        await send(consumer);
        if (part.isLast) consumer.close();
      } catch (error) {
        consumer.onError(error);
      }
    });
  };
  channel.dataChannel.removeAllListeners('data');
  channel.dataChannel.on('data', ({ data, timers }) => {
    for (const part of data) hand(part, (consumer) => consumer.sendData(part.data));
    for (const part of timers) hand(part, (consumer) => consumer.sendTimers(part.timerFamilyId, part.timers));
  });

  const { registerConsumer, unregisterConsumer } = channel;
  // What came before the bundle was ready is handed on in its turn too.
  channel.registerConsumer = (bundle, transform, consumer) =>
    turns.take(bundle, transform, () => registerConsumer.call(channel, bundle, transform, consumer));
  channel.unregisterConsumer = (bundle, transform) => {
    unregisterConsumer.call(channel, bundle, transform);
    if (!channel.consumers.get(bundle)?.size) channel.consumers.delete(bundle); // the SDK keeps one for every bundle ever
  };
}

/** Hands the data of a bundle to it in the order in which it came. */
export function installDataOrder(): void {
  const prototype = workerPrototype();
  const { getDataChannel } = prototype;
  const ordered = new WeakSet<object>();
  prototype.getDataChannel = function (this: Worker, endpoint) {
    const channel = getDataChannel.call(this, endpoint) as DataChannel;
    if (!ordered.has(channel)) {
      ordered.add(channel);
      inOrder(channel);
    }
    return channel;
  };
}
