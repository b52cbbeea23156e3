import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { Client, Connection } from '@temporalio/client';
import { CodedFailures } from '../activities/coded-failures.ts';
import type { Activities, ActivityResources } from '../activities/index.ts';
import { lineageOfActivities, lineageSinks } from '../activities/lineage/index.ts';
import { cupelError } from '../errors.ts';
import { NOT_FOUND } from '../gcp/errors.ts';
import type { TemporalSettings } from '../temporal.ts';
import { workflowBundle } from './bundle.ts';
import { limitsOf } from './limits.ts';
import { addressText } from './settings.ts';
import type { Queue, WorkerSettings } from './settings.ts';

/** Signals that end a worker process. */
export const SHUTDOWN_SIGNALS: NodeJS.Signals[] = ['SIGINT', 'SIGTERM'];

/** Milliseconds after the grace time until a worker whose activities do not end gives up on them. */
const FORCE_AFTER_MS = 5_000;

/** How often at least an activity's heartbeat reaches Temporal, and so how soon it hears that it is cancelled. SDK: 60 s. */
const HEARTBEAT_WITHIN_MS = 5_000;

/** Milliseconds within which Temporal must answer to count as reachable. */
const REACHABLE_WITHIN_MS = 2_000;

/** Sets up the SDK's logs, signals and metrics; once, before anything else of it is used. */
export function installRuntime({ logLevel, metrics }: WorkerSettings): void {
  Runtime.install({
    logger: new DefaultLogger(logLevel),
    shutdownSignals: SHUTDOWN_SIGNALS,
    ...(metrics ? { telemetryOptions: { metrics: { prometheus: { bindAddress: addressText(metrics) } } } } : {}),
  });
}

/** Both connections of a worker process: one that workers poll with, one that activities use. */
export interface Connections {
  native: NativeConnection;
  client: Client;
  close(): Promise<void>;
}

/** A namespace that is not there would show only as workers that end with a failure of transport. */
async function checkNamespace({ client }: Connections): Promise<void> {
  const { namespace } = client.options;
  try {
    await client.workflowService.describeNamespace({ namespace });
  } catch (error) {
    if ((error as { code?: number }).code !== NOT_FOUND) throw error;
    throw cupelError('CUP_TEMPORAL_SETUP', { namespace, advice: 'npx cupel temporal setup' }, error);
  }
}

async function connect({ namespace, ...options }: TemporalSettings): Promise<Connections> {
  const connection = await Connection.connect(options);
  try {
    const native = await NativeConnection.connect(options);
    const close = async (): Promise<void> => {
      await Promise.all([native.close(), connection.close()]);
    };
    return { native, client: new Client({ connection, namespace }), close };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/**
 * Connects to Temporal.
 *
 * @throws CupelError CUP_TEMPORAL_UNAVAILABLE, or CUP_TEMPORAL_SETUP where the namespace is not there
 */
export async function connectTemporal(settings: TemporalSettings): Promise<Connections> {
  const { address, namespace } = settings;
  const connections = await connect(settings).catch((error: unknown) => {
    throw cupelError('CUP_TEMPORAL_UNAVAILABLE', { address, namespace }, error);
  });
  try {
    await checkNamespace(connections);
    return connections;
  } catch (error) {
    await connections.close();
    throw error;
  }
}

/** Asks Temporal for a sign of life over the connection that workers poll with. */
export async function reachTemporal({ native }: Connections): Promise<void> {
  await native.withDeadline(Date.now() + REACHABLE_WITHIN_MS, () => native.workflowService.getSystemInfo({}));
}

/**
 * Makes a worker for each queue; none polls yet.
 *
 * @param resources what lineage is found and told with. Default: nobody is told
 */
export async function createWorkers(
  settings: WorkerSettings,
  { native, client }: Connections,
  activities: Activities,
  resources?: ActivityResources,
): Promise<Map<Queue, Worker>> {
  const bundle = await workflowBundle();
  const made = settings.queues.map(async (queue): Promise<[Queue, Worker]> => [
    queue,
    await Worker.create({
      connection: native,
      namespace: client.options.namespace,
      taskQueue: queue,
      workflowBundle: bundle,
      activities,
      interceptors: {
        activity: [() => ({ inbound: new CodedFailures() }), ...(resources ? lineageOfActivities(resources) : [])],
      },
      sinks: lineageSinks(resources),
      maxHeartbeatThrottleInterval: HEARTBEAT_WITHIN_MS,
      shutdownGraceTime: settings.shutdownGraceSeconds * 1_000,
      shutdownForceTime: settings.shutdownGraceSeconds * 1_000 + FORCE_AFTER_MS,
      ...limitsOf(queue, settings.limits),
    }),
  ]);
  return new Map(await Promise.all(made));
}

function shutDown(worker: Worker): void {
  if (worker.getState() === 'RUNNING') worker.shutdown();
}

/** Runs workers until a signal ends them. When one fails the others end too: half a process would look alive. */
export async function runWorkers(workers: Worker[]): Promise<void> {
  const runs = workers.map((worker) => worker.run());
  try {
    await Promise.all(runs);
  } catch (error) {
    workers.forEach(shutDown);
    await Promise.allSettled(runs);
    throw error;
  }
}
