import { randomUUID } from 'node:crypto';
import { Duration } from '@google-cloud/pubsub';
import type { Message, PubSub } from '@google-cloud/pubsub';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { toStreamChunk } from '../../src/lakehouse/streams/index.ts';
import type { StreamedMessage, StreamLog } from '../../src/lakehouse/streams/index.ts';
import type { Chunk } from '../../src/lakehouse/deltas/index.ts';
import type { openContract } from '../job-resources.ts';
import { kappa } from '../pipeline.ts';
import { directRunner } from '../runners/direct.ts';
import { STREAM_PARTITION } from '../sources/message-block.ts';
import { streamedMessages } from '../sources/streamed-messages.ts';
import { Backlog } from './backlog.ts';
import { Inbox, MAX_BYTES, MIN_ACK_DEADLINE_SECONDS } from './inbox.ts';
import { reportMetric } from './report.ts';

/** What a streaming job is started with. */
export interface StreamParameters {
  /** `gs://…/contracts/<source>/<hash>.json` */
  contract: string;
  /** Pull subscription, short or full name. */
  subscription: string;
  /** `gs://…` where the job says why it cannot go on. Unset: only in its error. */
  report?: string;
}

/** What a streaming job works with. */
export type StreamResources = Awaited<ReturnType<typeof openContract>> & { pubsub: PubSub; log: StreamLog };

const DEFAULTS = { maxBatch: 5_000, maxLatencySeconds: 10 };

/** The stream waits when the committer is so much later than the contract lets it be, and never before a minute. */
const LAG = { times: 10, leastMs: 60_000 };

const maxLagMs = ({ commit }: CompiledContract): number =>
  Math.max(LAG.leastMs, LAG.times * commit.maxLatencySeconds * 1000);

function toStreamed(message: Message): StreamedMessage {
  const { id, publishTime, attributes, data } = message;
  return { id, publishTime: microsOf(publishTime), attributes, data: data.toString('base64') };
}

/** Google's PreciseDate keeps what a Date cuts off. */
function microsOf(time: Message['publishTime']): string {
  return String(BigInt(time.getFullTimeString()) / 1000n);
}

/** Reads a subscription, batch by batch; each batch goes through the pipeline of every other batch. */
export class Stream {
  readonly #parameters: StreamParameters;
  readonly #resources: StreamResources;
  readonly #backlog: Backlog;
  readonly #drained: AbortSignal;
  #next = 1;
  #messages = 0;
  #batches = 0;

  /** @param drained lets the batch in work end and gives the rest back */
  constructor(parameters: StreamParameters, resources: StreamResources, drained: AbortSignal) {
    this.#drained = drained;
    this.#parameters = parameters;
    this.#resources = resources;
    this.#backlog = new Backlog(resources.deltas, maxLagMs(resources.contract));
  }

  /**
   * Runs until it is drained.
   *
   * @throws whatever ends a batch: nothing of it is acknowledged then, and it is delivered again
   */
  async run(): Promise<void> {
    await this.#takeOver();
    const { maxBatch, maxLatencySeconds } = { ...DEFAULTS, ...this.#resources.contract.stream };
    const flowControl = { maxMessages: 2 * maxBatch, maxBytes: MAX_BYTES, allowExcessMessages: false };
    const minAckDeadline = Duration.from({ seconds: MIN_ACK_DEADLINE_SECONDS });
    const options = { flowControl, minAckDeadline };
    const subscription = this.#resources.pubsub.subscription(this.#parameters.subscription, options);
    const inbox = new Inbox(subscription, { maxMessages: maxBatch, maxLatencyMs: maxLatencySeconds * 1000 });
    this.#drained.addEventListener('abort', () => inbox.stop());
    if (this.#drained.aborted) inbox.stop();
    try {
      for (let batch = await inbox.next(); batch.length; batch = await inbox.next()) await this.#process(batch);
    } finally {
      inbox.stop();
      await subscription.close(); // sends what was acknowledged last
    }
  }

  /** What a job before this one left unsettled counts too. */
  async #takeOver(): Promise<void> {
    const { log } = this.#resources;
    const { first, next } = await log.bounds();
    for (let number = first; number < next; number += 1) {
      const entry = await log.read(number);
      if (entry && !entry.over) this.#backlog.add({ ...entry, atMs: Date.parse(entry.at) });
    }
    this.#next = next;
  }

  async #process(messages: Message[]): Promise<void> {
    const { contract, deltas } = this.#resources;
    const lag = await this.#backlog.belowLimit(this.#drained);
    const streamed = messages.map(toStreamed);
    const chunk = toStreamChunk(contract, streamed, STREAM_PARTITION);
    // The same messages delivered again, since their acknowledgement was lost.
    if (!(await deltas.readManifest(chunk.table, chunk.batchId))) await this.#publish(chunk, streamed);
    await this.#announce(chunk);
    for (const message of messages) message.ack();
    this.#messages += messages.length;
    this.#batches += 1;
    reportMetric('messages', this.#messages);
    reportMetric('batches', this.#batches);
    reportMetric('commit_lag_seconds', Math.round(lag / 1000));
  }

  async #publish(chunk: Chunk, messages: StreamedMessage[]): Promise<void> {
    const { contract, report: reportUri } = this.#parameters;
    const { batchId, table } = chunk;
    const stage = this.#resources.deltas.stageUri(batchId, randomUUID());
    const job = { contract, chunk, batch: { batchId, table, stage }, ...(reportUri ? { report: reportUri } : {}) };
    const source = streamedMessages(messages);
    await directRunner().run((root) => source(root).apply(kappa(job)));
  }

  /** Behind this line the supervisor has the batch committed, whatever becomes of this job. */
  async #announce({ batchId, table, stream }: Chunk): Promise<void> {
    if (!stream) return;
    const at = new Date();
    const contractUri = this.#parameters.contract;
    const entry = { batchId, table, contractUri, ...stream, at: at.toISOString() };
    this.#next = (await this.#resources.log.append(entry, this.#next)) + 1;
    this.#backlog.add({ batchId, table, atMs: at.getTime() });
  }
}
