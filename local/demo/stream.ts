import { setTimeout as delay } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { PubSub } from '@google-cloud/pubsub';
import { streamSubscription } from '../../src/lakehouse/streams/index.ts';
import { streamId, TASK_QUEUE } from '../../src/workflows/ids.ts';
import { stopStream, streamStatus, updateStream } from '../../src/workflows/stream/messages.ts';
import type { StreamInput, StreamResult, StreamState } from '../../src/workflows/stream/messages.ts';

/** Milliseconds between two looks at the stream. */
const LOOK_MS = 250;

/** Milliseconds after which a stream that settles nothing more is a fault. */
const STALLED_MS = 120_000;

type Stream = (input: StreamInput) => Promise<StreamResult>;

/** What streaming came to, over all runs of the workflow. */
export type Streamed = Pick<StreamResult, 'batches' | 'messages' | 'launches'>;

/** The stream of a source, while feeds are polled and afterwards. */
export class DemoStream {
  readonly #client: Client;
  readonly #source: string;
  readonly #total: Streamed = { batches: 0, messages: 0, launches: 0 };
  #handle: WorkflowHandle<Stream>;

  private constructor(client: Client, source: string, handle: WorkflowHandle<Stream>) {
    this.#client = client;
    this.#source = source;
    this.#handle = handle;
  }

  static async start(client: Client, source: string): Promise<DemoStream> {
    return new DemoStream(client, source, await startWorkflow(client, source));
  }

  /** Messages settled so far; one that was delivered twice may count twice. */
  async messages(): Promise<number> {
    return this.#total.messages + (await this.#state()).messages;
  }

  /** Waits until so many messages are settled. */
  async untilSettled(wanted: number): Promise<void> {
    await this.#until((state) => this.#total.messages + state.messages >= wanted, `${wanted} messages settled`);
  }

  /** Puts a job under the contract of now in place of the running one. */
  async update(): Promise<void> {
    const { launches } = await this.#state();
    await this.#handle.signal(updateStream);
    await this.#until(({ launches: now, phase }) => now > launches && phase === 'running', 'the job updated');
  }

  /** Ends the stream once nothing is left of its subscription. */
  async finish(pubsub: PubSub): Promise<Streamed> {
    await this.#stop();
    while (await anythingLeft(pubsub, this.#source)) {
      this.#handle = await startWorkflow(this.#client, this.#source);
      await this.untilSettled(this.#total.messages + 1);
      await this.#stop();
    }
    return this.#total;
  }

  async #stop(): Promise<void> {
    await this.#handle.signal(stopStream);
    const { batches, messages, launches } = await this.#handle.result();
    this.#total.batches += batches;
    this.#total.messages += messages;
    this.#total.launches += launches;
  }

  /** A worker that was killed answers no query until it runs again. */
  async #state(): Promise<StreamState> {
    for (const end = performance.now() + STALLED_MS; ;) {
      try {
        return await this.#handle.query(streamStatus);
      } catch (error) {
        if (performance.now() > end) throw error;
        await delay(LOOK_MS);
      }
    }
  }

  async #until(reached: (state: StreamState) => boolean, what: string): Promise<void> {
    let [seen, changedAt] = ['', performance.now()];
    for (;;) {
      const state = await this.#state();
      if (reached(state)) return;
      const { messages, phase, launches, lastFailure } = state;
      const now = `${messages} ${launches} ${phase}`;
      if (now !== seen) [seen, changedAt] = [now, performance.now()];
      if (phase === 'open' || performance.now() - changedAt > STALLED_MS)
        throw new Error(
          `the stream stands at ${messages} messages, ${phase}, instead of ${what}: ${lastFailure?.code ?? 'no failure'}`,
        );
      await delay(LOOK_MS);
    }
  }
}

function startWorkflow(client: Client, source: string): Promise<WorkflowHandle<Stream>> {
  return client.workflow.start<Stream>('stream', {
    workflowId: streamId(source),
    taskQueue: TASK_QUEUE,
    args: [{ source }],
    workflowIdConflictPolicy: 'USE_EXISTING',
  });
}

/** Whether the subscription has messages that nobody holds; whatever is seen is given back at once. */
async function anythingLeft(pubsub: PubSub, source: string): Promise<boolean> {
  const { v1 } = await import('@google-cloud/pubsub');
  const client = new v1.SubscriberClient({ ...(await pubsub.getClientConfig()) });
  try {
    const subscription = `projects/${pubsub.projectId}/subscriptions/${streamSubscription(source)}`;
    const [{ receivedMessages }] = await client.pull({ subscription, maxMessages: 1, returnImmediately: true });
    const ackIds = (receivedMessages ?? []).map(({ ackId }) => ackId ?? '');
    if (ackIds.length) await client.modifyAckDeadline({ subscription, ackIds, ackDeadlineSeconds: 0 });
    return ackIds.length > 0;
  } finally {
    await client.close();
  }
}
