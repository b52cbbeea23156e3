import { setTimeout as delay } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { streamId, TASK_QUEUE } from '../../src/workflows/ids.ts';
import { stopStream, streamStatus } from '../../src/workflows/stream/messages.ts';
import type { StreamInput, StreamResult } from '../../src/workflows/stream/messages.ts';

/** Milliseconds between two looks at the stream. */
const LOOK_MS = 250;

/** Milliseconds after which a stream that settles nothing more is a fault. */
const STALLED_MS = 60_000;

type Stream = (input: StreamInput) => Promise<StreamResult>;

/** A stream that runs while feeds are polled. */
export interface DemoStream {
  /** Waits until so many messages are settled, drains the job and tells what it did. */
  finish(messages: number): Promise<StreamResult>;
}

async function untilSettled(handle: WorkflowHandle<Stream>, wanted: number): Promise<void> {
  let [settled, changedAt] = [-1, performance.now()];
  for (;;) {
    const { messages, phase, lastFailure } = await handle.query(streamStatus);
    if (messages >= wanted) return;
    if (messages !== settled) [settled, changedAt] = [messages, performance.now()];
    if (phase === 'open' || performance.now() - changedAt > STALLED_MS)
      throw new Error(
        `the stream settled ${messages} of ${wanted} messages and goes no further: ${lastFailure?.code ?? phase}`,
      );
    await delay(LOOK_MS);
  }
}

/** Starts the stream of a source. */
export async function startStream(client: Client, source: string): Promise<DemoStream> {
  const handle = await client.workflow.start<Stream>('stream', {
    workflowId: streamId(source),
    taskQueue: TASK_QUEUE,
    args: [{ source }],
    workflowIdConflictPolicy: 'USE_EXISTING',
  });
  return {
    async finish(messages) {
      await untilSettled(handle, messages);
      await handle.signal(stopStream);
      return handle.result();
    },
  };
}
