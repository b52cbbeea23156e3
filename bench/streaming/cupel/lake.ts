import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { BUCKETS } from '../../../local/buckets.ts';
import { launchCloud } from '../../../local/launch.ts';
import { DEMO_TOOLS, ensureTools } from '../../../scripts/tools.ts';
import { pubsubClient, restCatalog, storageClient } from '../../../src/gcp/clients.ts';
import { readEnvironment } from '../../../src/gcp/env.ts';
import { DeltaStore } from '../../../src/lakehouse/deltas/index.ts';
import type { RestCatalog } from '../../../src/lakehouse/iceberg/index.ts';
import { ObjectStore } from '../../../src/lakehouse/object-store.ts';
import { temporalSettings } from '../../../src/temporal.ts';
import { streamId, TASK_QUEUE } from '../../../src/workflows/ids.ts';
import { stopStream, streamStatus } from '../../../src/workflows/stream/messages.ts';
import type { StreamInput, StreamResult, StreamState } from '../../../src/workflows/stream/messages.ts';
import { commandOf } from '../../meter/proc.ts';
import { ProcessGroup } from '../../meter/process-group.ts';
import { quickContracts, SOURCE } from '../contracts.ts';

type Handle = WorkflowHandle<(input: StreamInput) => Promise<StreamResult>>;

/** Programs whose cost is told. */
type Program = 'beam/stream.ts' | 'src/worker.ts';

/** The whole local cloud with a stream that runs on it. */
export interface StreamingLake {
  env: Record<string, string>;
  /** All of its processes. */
  processes: ProcessGroup;
  catalog: RestCatalog;
  store: ObjectStore;
  deltas: DeltaStore;
  /** Process id of the streaming job, or of the worker; undefined while there is none. */
  pidOf(program: Program): number | undefined;
  /** Path of the file that an object is, to be read only. */
  fileOf(uri: string): string;
  status(): Promise<StreamState>;
  stop(): Promise<void>;
}

/** Google's clients and Temporal's read the address of each service from here. */
function useCloud(env: Record<string, string>): void {
  Object.assign(process.env, env);
}

async function startStream(client: Client): Promise<Handle> {
  return client.workflow.start<(input: StreamInput) => Promise<StreamResult>>('stream', {
    workflowId: streamId(SOURCE),
    taskQueue: TASK_QUEUE,
    args: [{ source: SOURCE }],
  });
}

/** Records go into the stream alone: the emulated BigQuery is not what is measured, and would be the slowest of all. */
async function withoutRaw(): Promise<void> {
  const pubsub = await pubsubClient(readEnvironment());
  await pubsub.subscription(`raw-${SOURCE}`).delete();
  await pubsub.close();
}

async function untilRunning(handle: Handle): Promise<void> {
  for (;;) {
    const { phase, lastFailure } = await handle.query(streamStatus);
    if (phase === 'running') return;
    if (lastFailure) throw new Error(`the stream does not run: ${lastFailure.code} ${lastFailure.message}`);
    await delay(200);
  }
}

/** Finds processes by their program; one that was found is looked for again only when it has ended. */
function finder(processes: ProcessGroup): StreamingLake['pidOf'] {
  const known = new Map<Program, number>();
  return (program) => {
    const runs = (pid: number): boolean => commandOf(pid).some((word) => word.endsWith(program));
    const pid = known.get(program);
    if (pid !== undefined && runs(pid)) return pid;
    const found = processes.pids().find(runs);
    if (found !== undefined) known.set(program, found);
    return found;
  };
}

/** Starts the cloud on an empty folder, and the stream of the source. */
export async function startStreamingLake(directory: string): Promise<StreamingLake> {
  await ensureTools(DEMO_TOOLS);
  const state = path.join(directory, 'state');
  mkdirSync(state, { recursive: true });
  const contracts = await quickContracts(directory);
  const processes = new ProcessGroup('cupel');
  const cloud = await processes.enclose(() => launchCloud(state, ['--contracts', contracts]));
  useCloud(cloud.env);
  const environment = readEnvironment();
  const { namespace, ...settings } = temporalSettings();
  const connection = await Connection.connect(settings);
  const client = new Client({ connection, namespace });
  await withoutRaw();
  const handle = await startStream(client);
  await untilRunning(handle);
  const store = new ObjectStore(await storageClient(environment));
  return {
    env: cloud.env,
    processes,
    catalog: await restCatalog(environment),
    store,
    deltas: new DeltaStore(store, BUCKETS.ops),
    pidOf: finder(processes),
    fileOf: (uri) => path.join(state, 'storage', uri.slice('gs://'.length)),
    status: () => handle.query(streamStatus),
    async stop() {
      await handle.signal(stopStream);
      await handle.result();
      await connection.close();
      await cloud.stop();
      await processes.close();
    },
  };
}
