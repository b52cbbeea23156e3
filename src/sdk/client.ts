import { randomUUID } from 'node:crypto';
import type { PubSub } from '@google-cloud/pubsub';
import type { CompiledContract } from '../contracts/types.ts';
import { cupelError } from '../errors.ts';
import { carrierClock } from './carrier-clock.ts';
import { Outstanding } from './outstanding.ts';
import { SourceTopic } from './source-topic.ts';

/** When a batch of messages leaves: as soon as one of these is reached. */
export interface BatchingOptions {
  /** Default 100, as in Google's client; Pub/Sub takes 1,000 in a request. */
  maxMessages?: number;
  /** Default 1 MiB, as in Google's client. */
  maxBytes?: number;
  /**
   * Longest wait for a batch to fill, in milliseconds, which a lone publish pays too; that of messages with an ordering key is not
   * cut short by `flush`. Default 10, as in Google's client.
   */
  maxMilliseconds?: number;
}

/** Settings of a client. */
export interface ClientOptions {
  /** The contracts of the sources to publish to, compiled; or a folder with their YAML files, such as `sources`. */
  contracts: readonly CompiledContract[] | string;
  /** Google's client. Default: one of the client's own, which `close` closes; it reads `PUBSUB_EMULATOR_HOST` itself. */
  pubsub?: PubSub;
  /** Google Cloud project. Default: that of the application default credentials, or `GOOGLE_CLOUD_PROJECT`. Not looked at beside `pubsub`. */
  project?: string;
  batching?: BatchingOptions;
  /** Most messages on their way at once; `publish` waits beyond that. Default 10,000. */
  maxOutstandingMessages?: number;
  /**
   * Most bytes on their way at once. Default 8 MiB: with all that goes out below the 10 MB of a request, messages that gather
   * behind a slow one of their key never make a request that Pub/Sub refuses.
   */
  maxOutstandingBytes?: number;
}

/** What a publish may say of its event. */
export interface PublishOptions {
  /**
   * Id of the record, 1 to 1,024 bytes; Silver keeps one record of each id. Give one, such as the event's own, when the app may
   * publish the same event again. Default: a UUID for each call.
   */
  id?: string;
  /** Order of the origin in microseconds since 1970. Default: the clock, strictly increasing within the client. */
  carrierOrder?: bigint;
  /** Messages of one key are delivered in the order of their publishing. Default: the contract's `messaging.orderingKey`, else none. */
  orderingKey?: string;
}

/** What became of a published event. */
export interface Receipt {
  /** Id that Pub/Sub gave to the message. */
  messageId: string;
  recordId: string;
  /** Microseconds since 1970. */
  carrierOrder: bigint;
}

/** A client that publishes to one source. */
export interface SourceClient<Message> {
  /** As {@link CupelClient.publish}. */
  publish(message: Message, options?: PublishOptions): Promise<Receipt>;
  /** As {@link CupelClient.flush}. */
  flush(): Promise<void>;
  /** As {@link CupelClient.close}. */
  close(): Promise<void>;
}

const MAX_OUTSTANDING_MESSAGES = 10_000;
const MAX_OUTSTANDING_BYTES = 8 << 20;

/** YAML and its checks are loaded only by apps that bring YAML. */
async function contractsOf(contracts: ClientOptions['contracts']): Promise<readonly CompiledContract[]> {
  if (typeof contracts !== 'string') return contracts;
  const { listSources, loadContract } = await import('../lakehouse/contract-store.ts');
  return Promise.all((await listSources(contracts)).map((source) => loadContract(contracts, source)));
}

async function ownPubsub(projectId: string | undefined): Promise<PubSub> {
  const { PubSub } = await import('@google-cloud/pubsub');
  return new PubSub(projectId === undefined ? {} : { projectId });
}

/** Publishes events of apps, each checked by the contract of its source (docs/sdk.md). */
export class CupelClient {
  readonly #contracts: ReadonlyMap<string, CompiledContract>;
  readonly #topics = new Map<string, SourceTopic>();
  readonly #settings: ConstructorParameters<typeof SourceTopic>[1];
  readonly #ownsPubsub: boolean;
  readonly #unanswered = new Set<Promise<unknown>>();
  readonly #nextOrder = carrierClock();
  #closed: Promise<void> | undefined;

  private constructor(contracts: readonly CompiledContract[], pubsub: PubSub, options: ClientOptions) {
    const { maxOutstandingMessages = MAX_OUTSTANDING_MESSAGES, maxOutstandingBytes = MAX_OUTSTANDING_BYTES } = options;
    const outstanding = new Outstanding({ maxMessages: maxOutstandingMessages, maxBytes: maxOutstandingBytes });
    this.#contracts = new Map(contracts.map((contract) => [contract.source, contract]));
    this.#settings = { pubsub, outstanding, batching: options.batching ?? {} };
    this.#ownsPubsub = options.pubsub === undefined;
  }

  /**
   * Opens a client. Nothing is asked of Pub/Sub before the first publish.
   *
   * @throws CupelError CUP_CONTRACT_INVALID for a contract of the folder with a fault
   */
  static async open(options: ClientOptions): Promise<CupelClient> {
    const contracts = await contractsOf(options.contracts);
    return new CupelClient(contracts, options.pubsub ?? (await ownPubsub(options.project)), options);
  }

  /**
   * Publishes an event and resolves once Pub/Sub has it. Google's client tries again after every passing error, for ten minutes at most,
   * and always with the same record id. When a message with an ordering key fails for good, those called behind it fail too; later calls go again.
   *
   * @throws CupelError CUP_EVENT_REFUSED: the pipeline would put the event in quarantine, or Pub/Sub cannot carry it
   * @throws CupelError CUP_SOURCE_UNKNOWN, CUP_SOURCE_UNPUBLISHABLE, CUP_CLIENT_CLOSED
   * @throws CupelError CUP_GOOGLE_UNAVAILABLE when Pub/Sub did not answer: it may have the message, so publish it again with
   *   the same `id`. CUP_GOOGLE_REFUSED when it said no, such as for a topic that is not there
   */
  publish(source: string, event: unknown, options: PublishOptions = {}): Promise<Receipt> {
    const answer = this.#publish(source, event, options);
    this.#unanswered.add(answer);
    const forget = (): boolean => this.#unanswered.delete(answer);
    answer.then(forget, forget);
    return answer;
  }

  /** This client, of one source and its type of messages. */
  source<Message>(source: string): SourceClient<Message> {
    return {
      publish: (message, options) => this.publish(source, message, options),
      flush: () => this.flush(),
      close: () => this.close(),
    };
  }

  /** Sends what waits in batches and resolves once every publish called so far has its answer; their own promises say which. */
  async flush(): Promise<void> {
    // In the order of the calls: once all before one are answered, it is past the limits of what may be on its way.
    for (const answer of [...this.#unanswered]) {
      if (!this.#unanswered.has(answer)) continue;
      for (const topic of this.#topics.values()) topic.sendBatches();
      await Promise.allSettled([answer]);
    }
  }

  /** Takes no more publishes, flushes, and closes what `open` made. A second call waits for the first. */
  close(): Promise<void> {
    this.#closed ??= this.flush().then(() => (this.#ownsPubsub ? this.#settings.pubsub.close() : undefined));
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #publish(source: string, event: unknown, options: PublishOptions): Promise<Receipt> {
    if (this.#closed) throw cupelError('CUP_CLIENT_CLOSED', { source });
    const { id: recordId = randomUUID(), carrierOrder = this.#nextOrder(), orderingKey } = options;
    const messageId = await this.#topicOf(source).publish(event, { recordId, carrierOrder, orderingKey });
    return { messageId, recordId, carrierOrder };
  }

  #topicOf(source: string): SourceTopic {
    const known = this.#topics.get(source);
    if (known) return known;
    const contract = this.#contracts.get(source);
    if (!contract)
      throw cupelError('CUP_SOURCE_UNKNOWN', { source, known: [...this.#contracts.keys()].join(', ') || 'none' });
    const topic = new SourceTopic(contract, this.#settings);
    this.#topics.set(source, topic);
    return topic;
  }
}
