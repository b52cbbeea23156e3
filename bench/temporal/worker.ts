// The worker of Cupel, with the activities of no-op-activities.ts in place of its own.
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { CodedFailures } from '../../src/activities/coded-failures.ts';
import { connectResources } from '../../src/activities/connect.ts';
import { createActivities } from '../../src/activities/index.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { temporalSettings } from '../../src/temporal.ts';
import { BACKFILL_TASK_QUEUE, TASK_QUEUE } from '../../src/workflows/ids.ts';
import { noOpActivities } from './no-op-activities.ts';
import { stepRunner } from './steps.ts';

Runtime.install({ logger: new DefaultLogger('WARN'), shutdownSignals: [] });

const { namespace, ...address } = temporalSettings();
const [connection, clientConnection] = await Promise.all([
  NativeConnection.connect(address),
  Connection.connect(address),
]);
const resources = await connectResources(readEnvironment(), new Client({ connection: clientConnection, namespace }));
const real = createActivities(resources);
const step = stepRunner(process.env.BENCH_LEDGER ?? '', Number(process.env.BENCH_STEP_MS));
const activities = { ...real, ...noOpActivities(resources, real, step) };
const workers = await Promise.all(
  [TASK_QUEUE, BACKFILL_TASK_QUEUE].map((taskQueue) =>
    Worker.create({
      connection,
      namespace,
      taskQueue,
      workflowBundle: { codePath: process.env.CUPEL_WORKFLOW_BUNDLE ?? '' },
      activities,
      interceptors: { activity: [() => ({ inbound: new CodedFailures() })] },
    }),
  ),
);
console.log('ready');
await Promise.all(workers.map((worker) => worker.run()));
