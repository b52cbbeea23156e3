import type { Subscription, Topic } from '@google-cloud/pubsub';
import { expect } from 'vitest';
import { startPubsub } from '../../local/pubsub/server.ts';
import type { PubsubServer } from '../../local/pubsub/server.ts';
import { unpackObject } from '../../src/contracts/index.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { recordPublisher } from '../../src/ingest/record-publisher.ts';
import { commitWaiting } from '../../src/lakehouse/committer/index.ts';
import { toChunk } from '../../src/lakehouse/planning/chunks.ts';
import { runKappaJob } from './kappa-job.ts';
import { startLake } from './lake.ts';
import type { Lake } from './lake.ts';
import { PubsubUser } from './pubsub.ts';
import { commitStream, startStreamJob } from './stream-job.ts';
import type { StreamJob } from './stream-job.ts';
import type { LandedPoll } from './streamed-polls.ts';
import { lawRows } from './table-rows.ts';

const PROJECT = 'conformance';

/** Silver, Pub/Sub and streaming jobs, with a topic and a subscription for each test. */
export class StreamLab {
  readonly lake: Lake;
  readonly user: PubsubUser;
  readonly #server: PubsubServer;
  topic!: Topic;
  subscription!: Subscription;

  private constructor(lake: Lake, server: PubsubServer) {
    this.lake = lake;
    this.#server = server;
    this.user = new PubsubUser(server.endpoint);
  }

  static async open(): Promise<StreamLab> {
    return new StreamLab(...(await Promise.all([startLake(), startPubsub()])));
  }

  /** Of Pub/Sub: where Java's client finds it. */
  get restUrl(): string {
    return this.#server.restUrl;
  }

  /** @param ackDeadlineSeconds of the subscription */
  async newTopic(ackDeadlineSeconds = 10): Promise<void> {
    this.topic = await this.user.topic();
    this.subscription = await this.user.subscribe(this.topic, { ackDeadlineSeconds });
  }

  async close(): Promise<void> {
    await this.user.close();
    await Promise.all([this.lake.stop(), this.#server.stop()]);
  }

  /** Starts the streaming job of a contract; it is killed at the end of the test. */
  start(
    contract: CompiledContract,
    options: { report?: string; storageUrl?: string; runner?: string[] } = {},
  ): StreamJob {
    const { report, storageUrl, runner } = options;
    const env = {
      PUBSUB_EMULATOR_HOST: this.#server.endpoint,
      CUPEL_PROJECT: PROJECT,
      ...(storageUrl ? { CUPEL_STORAGE_ENDPOINT: storageUrl } : {}),
    };
    const job = startStreamJob(this.lake, contract, this.subscription.name, env, report, runner);
    this.user.after(async () => {
      job.child.kill('SIGKILL');
      await job.ended;
    });
    return job;
  }

  /** Publishes the records of polls, as landing them does. */
  async publish(contract: CompiledContract, polls: LandedPoll[]): Promise<void> {
    const publisher = recordPublisher(this.user.pubsub, this.topic.name);
    for (const { object, text } of polls)
      await publisher.publish(contract, object.name, await unpackObject(contract, Buffer.from(text), object.name));
  }

  /** What a batch makes of polls. */
  async batchRows(contract: CompiledContract, polls: LandedPoll[]): Promise<string[]> {
    const chunk = toChunk(
      contract,
      polls.map(({ object }) => object),
    );
    const { code, stderr } = await runKappaJob(this.lake, chunk);
    expect(`${code} ${stderr}`).toBe('0 ');
    await commitWaiting(this.lake, contract, [chunk.batchId]);
    return lawRows(this.lake, contract);
  }

  /** Waits until what the stream has published so far, committed, makes these rows. */
  async untilRows(contract: CompiledContract, rows: string[]): Promise<void> {
    const committed = async (): Promise<string[]> => {
      await commitStream(this.lake, contract);
      return lawRows(this.lake, contract);
    };
    await expect.poll(committed, { timeout: 45_000, interval: 250 }).toEqual(rows);
  }
}
