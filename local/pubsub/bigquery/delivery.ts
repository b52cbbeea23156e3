import type { BigQuery, Table } from '@google-cloud/bigquery';
import type { ExportContext } from '../deliveries.ts';
import { exportConsumer } from '../export/consumer.ts';
import { ExportTarget } from '../export/target.ts';
import type { ExportState } from '../resources.ts';
import type { AvroCodec } from '../schemas/avro-codec.ts';
import type { Received } from '../subscription/consumer.ts';
import type { Subscription } from '../subscription/subscription.ts';
import { columnsOf } from './columns.ts';
import type { FieldSchema } from './columns.ts';
import { rowWriter } from './rows.ts';
import type { RowWriter } from './rows.ts';

/** Rows of one insert, as Google advises. */
const BATCH = 500;

/** Messages in hand. */
const MOST = 2_000;

interface Failure {
  row?: object;
  errors?: { message?: string; reason?: string }[];
}

/** Delivers a BigQuery subscription: a row per message; what the table does not take goes back. */
class BigQueryDelivery {
  readonly target: ExportTarget;
  readonly #subscription: Subscription;
  readonly #table: Table;
  readonly #context: ExportContext;
  readonly #waiting: Received[] = [];
  #writer: RowWriter | undefined;
  /** Those that the writer was made for. */
  #codecs: AvroCodec[] = [];
  #writing = false;

  constructor(subscription: Subscription, bigquery: BigQuery, context: ExportContext) {
    const [projectId = '', dataset = '', table = ''] = subscription.spec.bigqueryConfig?.table?.split('.') ?? [];
    this.#subscription = subscription;
    this.#table = bigquery.dataset(dataset, { projectId }).table(table);
    this.#context = context;
    this.target = new ExportTarget(
      () => this.#inspect(),
      () => subscription.wake(),
    );
  }

  /** Starts; the answer stops it. */
  start(): () => void {
    const consumer = exportConsumer(this.target, MOST, (messages) => {
      this.#waiting.push(...messages);
      if (!this.#writing) void this.#write();
    });
    this.#subscription.addConsumer(consumer);
    return () => {
      this.target.stop();
      this.#subscription.removeConsumer(consumer);
      this.#subscription.undeliver(this.#waiting.splice(0).map(({ ackId }) => ackId));
    };
  }

  async #inspect(): Promise<ExportState> {
    const [metadata] = await this.#table.getMetadata();
    const { schema } = metadata as { schema?: { fields?: FieldSchema[] } };
    const { spec } = this.#subscription;
    this.#codecs = this.#context.codecs(spec.topic);
    this.#writer = rowWriter({
      spec,
      columns: columnsOf(schema?.fields ?? []),
      codecs: this.#codecs,
      decode: (message) => this.#context.decode(message),
    });
    return this.#writer ? 'ACTIVE' : 'SCHEMA_MISMATCH';
  }

  #hasNewRevision(): boolean {
    return this.#context.codecs(this.#subscription.spec.topic)[0] !== this.#codecs[0];
  }

  async #write(): Promise<void> {
    this.#writing = true;
    while (this.#waiting.length) {
      // A table that lost a column, or does not have that of a new revision, would take rows without it.
      await this.target.look(this.#hasNewRevision());
      const batch = this.#waiting.splice(0, BATCH);
      if (this.target.usable) await this.#insert(batch);
      else this.#subscription.undeliver(batch.map(({ ackId }) => ackId));
    }
    this.#writing = false;
    this.#subscription.wake();
  }

  async #insert(batch: Received[]): Promise<void> {
    const writer = this.#writer;
    if (!writer) return this.#subscription.undeliver(batch.map(({ ackId }) => ackId));
    const rows = new Map<object, Received>();
    for (const received of batch) {
      const row = this.#rowOf(writer, received);
      if (row) rows.set({ json: row }, received);
    }
    if (!rows.size) return;
    try {
      await this.#table.insert([...rows.keys()], {
        raw: true,
        createInsertId: false,
        partialRetries: 0,
        skipInvalidRows: true,
      });
    } catch (error) {
      this.#refused(rows, error);
    }
    this.#subscription.ack([...rows.values()].map(({ ackId }) => ackId));
  }

  /** undefined: the message makes no row, and was given back. */
  #rowOf(writer: RowWriter, received: Received): object | undefined {
    try {
      return writer(received.message);
    } catch (error) {
      this.#subscription.nack(received.ackId, (error as Error).message);
      return undefined;
    }
  }

  /** Gives back what an insert did not take; takes it out of `rows`. */
  #refused(rows: Map<object, Received>, error: unknown): void {
    const failures = (error as { name?: string; errors?: Failure[] }).name === 'PartialFailureError';
    if (!failures) {
      this.#subscription.undeliver([...rows.values()].map(({ ackId }) => ackId));
      rows.clear();
      return this.target.fail(error);
    }
    for (const { row, errors = [] } of (error as { errors: Failure[] }).errors) {
      const received = row && rows.get(row);
      if (!received) continue;
      rows.delete(row);
      this.#subscription.nack(received.ackId, errors.map(({ message, reason }) => message ?? reason).join('; '));
    }
  }
}

/** Delivers to the table of a subscription's `bigqueryConfig`. */
export function startBigQueryDelivery(
  subscription: Subscription,
  bigquery: BigQuery,
  context: ExportContext,
): { stop: () => void; target: ExportTarget } {
  const delivery = new BigQueryDelivery(subscription, bigquery, context);
  return { stop: delivery.start(), target: delivery.target };
}
