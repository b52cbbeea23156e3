import { setTimeout as delay } from 'node:timers/promises';
import type { Message, PubSub, Subscription } from '@google-cloud/pubsub';
import type { Logger } from '@temporalio/common';
import { Runtime } from '@temporalio/worker';
import type { ActivityResources } from '../activities/index.ts';
import { parseJson, readControl } from '../control/message.ts';
import type { ControlMessage } from '../control/message.ts';
import { startControlled } from '../control/start.ts';
import type { Controlled } from '../control/start.ts';
import { CupelError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { googleError } from '../gcp/errors.ts';
import { SHUTDOWN_SIGNALS } from './run.ts';

/** What the subscriber works with. */
export interface ControlOptions {
  pubsub: PubSub;
  /** Name of a pull subscription of the control topic, short or full. */
  subscription: string;
  /** Starts what a message asks for; it resolves once Temporal has answered. */
  start(message: ControlMessage): Promise<Controlled>;
  log: Pick<Logger, 'info' | 'warn' | 'error'>;
}

/** A running subscriber. */
export interface ControlSubscriber {
  /** Takes no more messages, lets those in hand end, and gives the rest back. Called again, it waits for the same end. */
  stop(): Promise<void>;
}

/** Messages in hand at once: each is one short call to Temporal. */
const AT_ONCE = 10;

/** Milliseconds after which stopping waits no longer: what has no answer by then comes again. */
const STOP_WITHIN_MS = 3_000;

/** Milliseconds until a subscription that was lost (removed, or a role taken away) is tried again, and the most. */
const REOPEN = { first: 1_000, most: 60_000 };

/** Of a message that means nothing today and will mean nothing tomorrow. */
const MEANINGLESS = new Set<ErrorCode>(['CUP_REQUEST_INVALID', 'CUP_RANGE_INVALID', 'CUP_SOURCE_UNKNOWN']);

class Subscriber implements ControlSubscriber {
  readonly #options: ControlOptions;
  readonly #inHand = new Set<Promise<void>>();
  #subscription: Subscription | undefined;
  #reopening: NodeJS.Timeout | undefined;
  #pauseMs = REOPEN.first;
  #stopping: Promise<void> | undefined;

  constructor(options: ControlOptions) {
    this.#options = options;
    this.#open();
  }

  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop());
  }

  #open(): void {
    const { pubsub, subscription: name, log } = this.#options;
    const flowControl = { maxMessages: AT_ONCE, allowExcessMessages: false };
    const subscription = pubsub.subscription(name, { flowControl });
    // The client closes a subscription itself after an error that its own retries do not mend.
    subscription.on('close', () => this.#reopen());
    subscription.on('error', (error) => {
      const { code, message } = googleError('Pub/Sub', `subscription ${name}`, error);
      log.error('control subscription lost', { code, reason: message });
    });
    subscription.on('message', (message: Message) => this.#take(message));
    this.#subscription = subscription;
  }

  #reopen(): void {
    if (this.#stopping) return;
    this.#reopening = setTimeout(() => this.#open(), this.#pauseMs);
    this.#pauseMs = Math.min(REOPEN.most, this.#pauseMs * 2);
  }

  #take(message: Message): void {
    if (this.#stopping) return; // closing gives it back
    this.#pauseMs = REOPEN.first;
    const work = this.#handle(message).finally(() => this.#inHand.delete(work));
    this.#inHand.add(work);
  }

  async #handle(message: Message): Promise<void> {
    const { start, log } = this.#options;
    const messageId = message.id;
    try {
      const { workflowId, state } = await start(readControl(parseJson(message.data), message.publishTime.getTime()));
      message.ack();
      log.info('control message taken', { messageId, workflowId, state });
    } catch (error) {
      this.#refuse(message, error);
    }
  }

  /** The log names the message and never what is in it. */
  #refuse(message: Message, error: unknown): void {
    const { log } = this.#options;
    const code = error instanceof CupelError ? error.code : undefined;
    const told = { messageId: message.id, code: code ?? 'none' };
    if (!code || !MEANINGLESS.has(code)) {
      log.warn('control message not started; it comes again', told);
      return message.nack();
    }
    log.error('control message refused', { ...told, ...expectedOf(error) });
    // Attempts are counted only where there is a dead letter topic, which then gets it.
    if (message.deliveryAttempt) message.nack();
    else message.ack();
  }

  async #stop(): Promise<void> {
    clearTimeout(this.#reopening);
    const ended = Promise.all(this.#inHand).then(() => this.#subscription?.close());
    await Promise.race([ended, delay(STOP_WITHIN_MS, undefined, { ref: false })]);
  }
}

/** What the reader of messages expected, which it says in its own words only. */
function expectedOf(error: unknown): { expected?: unknown } {
  return error instanceof CupelError && error.code === 'CUP_REQUEST_INVALID'
    ? { expected: error.details.expected }
    : {};
}

/** Takes messages of the control topic and has each start its workflow; a message is gone only after Temporal answered. */
export function startControl(options: ControlOptions): ControlSubscriber {
  return new Subscriber(options);
}

/** The subscriber of a worker process. At a signal it stops before the workers do, which hear the same signal. */
export async function serveControl(
  subscription: string,
  { pubsub, temporal, environment }: Pick<ActivityResources, 'pubsub' | 'temporal' | 'environment'>,
): Promise<ControlSubscriber> {
  const subscriber = startControl({
    pubsub: await pubsub(),
    subscription,
    start: (message) => startControlled(temporal, environment.contractsDirectory, message),
    log: Runtime.instance().logger,
  });
  for (const signal of SHUTDOWN_SIGNALS) process.prependOnceListener(signal, () => void subscriber.stop());
  return subscriber;
}
