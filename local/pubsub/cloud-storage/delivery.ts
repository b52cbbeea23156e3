import { randomUUID } from 'node:crypto';
import type { Bucket, Storage } from '@google-cloud/storage';
import type { ExportContext } from '../deliveries.ts';
import { exportConsumer } from '../export/consumer.ts';
import { ExportTarget } from '../export/target.ts';
import { millis } from '../messages.ts';
import type { CloudStorageConfig, ExportState } from '../resources.ts';
import type { AvroCodec } from '../schemas/avro-codec.ts';
import type { Received } from '../subscription/consumer.ts';
import type { Subscription } from '../subscription/subscription.ts';
import { archiveFormat } from './file-format.ts';
import type { ArchiveFormat } from './file-format.ts';
import { archiveName } from './object-name.ts';

/** Google's default of `maxDuration`. */
const MAX_DURATION_MS = 300_000;

const PRECONDITION_FAILED = 412;

/** A file that takes messages. */
interface Open {
  format: ArchiveFormat;
  opened: Date;
  ackIds: string[];
  records: unknown[];
  bytes: number;
  timer: NodeJS.Timeout;
}

/** Delivers a Cloud Storage subscription: gathers messages, writes them as one object, and only then acknowledges them. */
class CloudStorageDelivery {
  readonly target: ExportTarget;
  readonly #subscription: Subscription;
  readonly #config: CloudStorageConfig;
  readonly #bucket: Bucket;
  readonly #context: ExportContext;
  readonly #everyMs: number;
  #format: ArchiveFormat | undefined;
  /** The revision that the format was made for. */
  #latest: AvroCodec | undefined;
  #open: Open | undefined;

  constructor(subscription: Subscription, storage: Storage, context: ExportContext, everyMs: number) {
    this.#subscription = subscription;
    this.#config = subscription.spec.cloudStorageConfig ?? {};
    this.#bucket = storage.bucket(this.#config.bucket ?? '');
    this.#context = context;
    this.#everyMs = Math.min(everyMs, millis(this.#config.maxDuration, MAX_DURATION_MS));
    this.target = new ExportTarget(
      () => this.#inspect(),
      () => subscription.wake(),
    );
  }

  /** Starts; the answer stops it. What is in the open file is not acknowledged, so it is delivered again. */
  start(): () => void {
    const consumer = exportConsumer(this.target, Infinity, (messages) => this.#take(messages));
    this.#subscription.addConsumer(consumer);
    return () => {
      this.target.stop();
      this.#subscription.removeConsumer(consumer);
      if (this.#open) this.#giveBack(this.#open);
    };
  }

  async #inspect(): Promise<ExportState> {
    await this.#bucket.getMetadata();
    const { spec } = this.#subscription;
    this.#latest = this.#context.codecs(spec.topic)[0];
    this.#format = archiveFormat(spec, this.#context);
    return this.#format ? 'ACTIVE' : 'SCHEMA_MISMATCH';
  }

  #take(messages: Received[]): void {
    // The file of an older revision would leave out the fields of a new one.
    const current = this.#context.codecs(this.#subscription.spec.topic)[0] === this.#latest;
    if (current) for (const received of messages) this.#add(received);
    else void this.target.look(true).then(() => this.#subscription.undeliver(messages.map(({ ackId }) => ackId)));
  }

  #add({ ackId, message }: Received): void {
    const format = this.#format;
    if (!format) return this.#subscription.undeliver([ackId]);
    try {
      const { record, bytes } = format.recordOf(message);
      const { maxBytes, maxMessages } = this.#config;
      const full = Number(maxBytes) || Infinity;
      if (this.#open && (this.#open.bytes + bytes > full || this.#open.format !== format)) this.#close();
      const open = this.#file(format);
      open.ackIds.push(ackId);
      open.records.push(record);
      open.bytes += bytes;
      if (open.bytes >= full || open.ackIds.length >= (Number(maxMessages) || Infinity)) this.#close();
    } catch (error) {
      this.#subscription.nack(ackId, (error as Error).message);
    }
  }

  #file(format: ArchiveFormat): Open {
    this.#open ??= {
      format,
      opened: new Date(),
      ackIds: [],
      records: [],
      bytes: 0,
      timer: setTimeout(() => this.#close(), this.#everyMs),
    };
    return this.#open;
  }

  #close(): void {
    const open = this.#open;
    if (!open) return;
    this.#open = undefined;
    clearTimeout(open.timer);
    void this.#write(open);
  }

  async #write(open: Open): Promise<void> {
    const { format, opened, ackIds, records } = open;
    try {
      await this.#bucket.file(archiveName(this.#config, opened, randomUUID())).save(format.fileOf(records), {
        resumable: false,
        contentType: format.contentType,
        preconditionOpts: { ifGenerationMatch: 0 },
      });
    } catch (error) {
      // Nobody else writes under this name: the answer to a first attempt was lost.
      if ((error as { code?: unknown }).code !== PRECONDITION_FAILED) {
        this.target.fail(error);
        return this.#giveBack(open);
      }
    }
    this.#subscription.ack(ackIds);
  }

  #giveBack(open: Open): void {
    if (this.#open === open) this.#open = undefined;
    clearTimeout(open.timer);
    this.#subscription.undeliver(open.ackIds);
  }
}

/**
 * Delivers to the bucket of a subscription's `cloudStorageConfig`.
 *
 * @param everyMs after which a file is closed, where `maxDuration` is longer. Default: `maxDuration` alone.
 */
export function startCloudStorageDelivery(
  subscription: Subscription,
  storage: Storage,
  context: ExportContext,
  everyMs = Infinity,
): { stop: () => void; target: ExportTarget } {
  const delivery = new CloudStorageDelivery(subscription, storage, context, everyMs);
  return { stop: delivery.start(), target: delivery.target };
}
