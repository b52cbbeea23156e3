import { connectResources } from './activities/connect.ts';
import { createActivities } from './activities/index.ts';
import { CupelError } from './errors.ts';
import { readEnvironment } from './gcp/env.ts';
import { temporalSettings } from './temporal.ts';
import { serveControl } from './worker/control.ts';
import type { ControlSubscriber } from './worker/control.ts';
import { startHealth } from './worker/health.ts';
import { LINEAGE_CLOSE_MS, lineageEmitter } from './worker/lineage.ts';
import { connectTemporal, createWorkers, installRuntime, reachTemporal, runWorkers } from './worker/run.ts';
import { workerSettings } from './worker/settings.ts';

// Wiring only: what each part does is in src/worker/, what it is set by in docs/temporal.md.

async function main(): Promise<void> {
  const settings = workerSettings();
  const environment = readEnvironment();
  installRuntime(settings);
  const connections = await connectTemporal(temporalSettings());
  const workers: Awaited<ReturnType<typeof createWorkers>> = new Map();
  const health = settings.health
    ? await startHealth(settings.health, {
        workers: () =>
          Object.fromEntries(settings.queues.map((name) => [name, workers.get(name)?.getState() ?? 'NONE'])),
        temporal: () => reachTemporal(connections),
      })
    : undefined;
  const lineage = lineageEmitter(environment.lineage);
  let control: ControlSubscriber | undefined;
  try {
    const connected = await connectResources(environment, connections.client);
    const resources = { ...connected, ...(lineage ? { lineage } : {}) };
    const activities = createActivities(resources);
    for (const [queue, worker] of await createWorkers(settings, connections, activities, resources))
      workers.set(queue, worker);
    if (settings.controlSubscription) control = await serveControl(settings.controlSubscription, resources);
    await runWorkers([...workers.values()]);
  } finally {
    await control?.stop();
    await health?.stop();
    await lineage?.close(LINEAGE_CLOSE_MS);
    await connections.close().catch(tell); // refused while a worker that was forced to end still holds one
  }
}

/** A coded error says all that an operator needs; of others the stack tells where to look. */
function tell(error: unknown): void {
  const cause = error instanceof CupelError && error.cause instanceof Error ? `\n  ${error.cause.message}` : '';
  console.error(error instanceof CupelError ? `${error.message}${cause}` : error);
}

const failed = await main().then(
  () => false,
  (error: unknown) => (tell(error), true),
);
// Connections of Google's clients, or an activity that never ends, would keep the process.
process.exit(failed ? 1 : 0);
