// The worker of Cupel, with the activities of no-op-activities.ts in place of its own.
import { connectResources } from '../../src/activities/connect.ts';
import { createActivities } from '../../src/activities/index.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { temporalSettings } from '../../src/temporal.ts';
import { connectTemporal, createWorkers, installRuntime, runWorkers } from '../../src/worker/run.ts';
import { workerSettings } from '../../src/worker/settings.ts';
import { noOpActivities } from './no-op-activities.ts';
import { stepRunner } from './steps.ts';

const settings = workerSettings();
installRuntime(settings);
const connections = await connectTemporal(temporalSettings());
const resources = await connectResources(readEnvironment(), connections.client);
const real = createActivities(resources);
const step = stepRunner(process.env.BENCH_LEDGER ?? '', Number(process.env.BENCH_STEP_MS));
const workers = await createWorkers(settings, connections, { ...real, ...noOpActivities(resources, real, step) });
console.log('ready');
await runWorkers([...workers.values()]);
process.exit(0);
