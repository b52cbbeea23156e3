import type { PubSub, PublishOptions as TopicOptions, Topic } from '@google-cloud/pubsub';
import type { CompiledContract } from '../contracts/types.ts';
import { googleError } from '../gcp/errors.ts';
import { messageMaker, sizeOf } from './message.ts';
import type { MessageIdentity, OutgoingMessage } from './message.ts';
import type { Outstanding } from './outstanding.ts';

/** What a client's sources share. */
export interface TopicSettings {
  pubsub: PubSub;
  outstanding: Outstanding;
  batching: NonNullable<TopicOptions['batching']>;
}

/** Google's client wraps an error of a key into one whose text names the key, which is a value of the event. */
function withoutKey(error: unknown): unknown {
  return (error as { error?: unknown }).error ?? error;
}

/** The topic of one source, and the rules of its messages. */
export class SourceTopic {
  readonly #make: ReturnType<typeof messageMaker>;
  readonly #plain: Topic;
  /**
   * By a topic of its own: a flush of Google's client sends a key's next batch while the one before is still on its way, so the
   * later one may overtake it.
   */
  readonly #ordered: Topic;
  readonly #outstanding: Outstanding;

  /** @throws CupelError CUP_SOURCE_UNPUBLISHABLE when the source has no topic of its own */
  constructor(contract: CompiledContract, { pubsub, outstanding, batching }: TopicSettings) {
    this.#make = messageMaker(contract);
    const name = contract.messaging?.topic ?? '';
    this.#plain = pubsub.topic(name, { batching });
    this.#ordered = pubsub.topic(name, { batching, messageOrdering: true });
    this.#outstanding = outstanding;
  }

  /** Publishes an event; resolves with the id that Pub/Sub gave to its message. */
  async publish(event: unknown, identity: MessageIdentity): Promise<string> {
    const message = this.#make(event, identity);
    const bytes = sizeOf(message);
    const waiting = this.#outstanding.enter(bytes, this.#orderOf(message));
    if (waiting) await waiting; // else it is in its batch before this call returns, so that a flush right behind it sends it
    try {
      return await (message.orderingKey === undefined ? this.#plain : this.#ordered).publishMessage(message);
    } catch (error) {
      throw this.#failed(message, error);
    } finally {
      this.#outstanding.leave(bytes);
    }
  }

  /** Sends at once what waits for its batch to fill, but for messages with a key: those go when their time is over. */
  sendBatches(): void {
    this.#plain.flush().catch(() => undefined); // each publish tells of its own failure
  }

  /** Two sources may have equal keys; their messages need no order among each other. */
  #orderOf({ orderingKey }: OutgoingMessage): string | undefined {
    return orderingKey === undefined ? undefined : `${this.#ordered.name}#${orderingKey}`;
  }

  /** What was called behind a failed message of its key fails too; what is called from now on goes again. */
  #failed(message: OutgoingMessage, error: unknown): Error {
    const failure = googleError('Pub/Sub', `publish to ${this.#plain.name}`, withoutKey(error));
    const order = this.#orderOf(message);
    if (order !== undefined && message.orderingKey !== undefined) {
      this.#outstanding.refuseBehind(order, failure);
      this.#ordered.resumePublishing(message.orderingKey);
    }
    return failure;
  }
}
