import type { BigQuery } from '@google-cloud/bigquery';
import type { Storage } from '@google-cloud/storage';
import { startBigQueryDelivery } from './bigquery/delivery.ts';
import { startCloudStorageDelivery } from './cloud-storage/delivery.ts';
import { failedPrecondition } from './errors.ts';
import type { ExportTarget } from './export/target.ts';
import type { Message } from './messages.ts';
import { startPush } from './push.ts';
import type { SubscriptionSpec } from './resources.ts';
import type { AvroCodec } from './schemas/avro-codec.ts';
import type { Subscription } from './subscription/subscription.ts';

/** What Pub/Sub itself calls to deliver. */
export interface DeliveryOptions {
  /** Makes the ID token of a push subscription that asks for one. Default: pushes go without. */
  identityToken?: (audience: string) => string;
  /** Writes the tables of BigQuery subscriptions. Default: such subscriptions are refused. */
  bigquery?: BigQuery;
  /** Writes the objects of Cloud Storage subscriptions. Default: such subscriptions are refused. */
  storage?: Storage;
  /** Milliseconds after which a file of Cloud Storage is closed, where `maxDuration` is longer. Default: `maxDuration` alone. */
  archiveEveryMs?: number;
}

/** What export subscriptions need to know of schemas. */
export interface ExportContext {
  /** Of the revisions that a topic lets messages have, the latest first; none where it has no schema. */
  codecs(topic: string): AvroCodec[];
  /** The value of a message that was checked. Throws Error for one that was not. */
  decode(message: Message): { value: unknown; codec: AvroCodec };
}

interface Delivery {
  stop(): void;
  target?: ExportTarget;
}

/** How long an answer waits for a look at a table or a bucket. */
const LOOK_MS = 2_000;

/** The deliveries that Pub/Sub makes by itself: pushes and exports. */
export class Deliveries {
  readonly #options: DeliveryOptions;
  readonly #context: ExportContext;
  readonly #running = new Map<string, Delivery>();

  constructor(options: DeliveryOptions, context: ExportContext) {
    this.#options = options;
    this.#context = context;
  }

  /** @throws GrpcError FAILED_PRECONDITION for a subscription that needs a service which is not there */
  check({ bigqueryConfig, cloudStorageConfig }: SubscriptionSpec): void {
    if (bigqueryConfig && !this.#options.bigquery)
      throw failedPrecondition('This server was started without BigQuery.');
    if (cloudStorageConfig && !this.#options.storage)
      throw failedPrecondition('This server was started without Cloud Storage.');
  }

  /** Starts the delivery that a subscription asks for, in place of the one before. */
  start(subscription: Subscription): void {
    const { name } = subscription.spec;
    this.stop(name);
    const delivery = subscription.spec.detached ? undefined : this.#delivery(subscription);
    if (delivery) this.#running.set(name, delivery);
  }

  stop(name: string): void {
    this.#running.get(name)?.stop();
    this.#running.delete(name);
  }

  /** Looks at the table or bucket of a subscription, so that `shown` has its state of now. */
  async look(name: string): Promise<void> {
    const looked = this.#running.get(name)?.target?.look();
    if (!looked) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, LOOK_MS)));
    await Promise.race([looked, late]);
    clearTimeout(timer);
  }

  /** A subscription with the state that it is in. */
  shown(spec: SubscriptionSpec): SubscriptionSpec {
    const target = this.#running.get(spec.name)?.target;
    if (!target) return { ...spec, state: 'ACTIVE' };
    const { bigqueryConfig, cloudStorageConfig } = spec;
    const { state } = target;
    return {
      ...spec,
      state: state === 'ACTIVE' ? 'ACTIVE' : 'RESOURCE_ERROR',
      ...(bigqueryConfig ? { bigqueryConfig: { ...bigqueryConfig, state } } : {}),
      ...(cloudStorageConfig ? { cloudStorageConfig: { ...cloudStorageConfig, state } } : {}),
    };
  }

  #delivery(subscription: Subscription): Delivery | undefined {
    const { pushConfig, bigqueryConfig, cloudStorageConfig } = subscription.spec;
    const { bigquery, storage, identityToken, archiveEveryMs } = this.#options;
    if (pushConfig?.pushEndpoint) return { stop: startPush(subscription, identityToken) };
    if (bigqueryConfig && bigquery) return startBigQueryDelivery(subscription, bigquery, this.#context);
    if (cloudStorageConfig && storage)
      return startCloudStorageDelivery(subscription, storage, this.#context, archiveEveryMs);
    return undefined;
  }
}
