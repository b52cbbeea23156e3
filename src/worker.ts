import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { CodedFailures } from './activities/coded-failures.ts';
import { connectResources } from './activities/connect.ts';
import { createActivities } from './activities/index.ts';
import { readEnvironment } from './gcp/env.ts';
import { temporalSettings } from './temporal.ts';
import { TASK_QUEUE } from './workflows/ids.ts';

// Wiring only. `CUPEL_WORKFLOW_BUNDLE`: a bundle of `src/workflows/index.ts` made beforehand, so that a start takes no webpack.

Runtime.install({
  logger: new DefaultLogger(process.env.CUPEL_LOG_LEVEL === 'DEBUG' ? 'DEBUG' : 'INFO'),
  shutdownSignals: ['SIGINT', 'SIGTERM'],
});

const settings = temporalSettings();
const { namespace, ...connectionOptions } = settings;
const [connection, clientConnection] = await Promise.all([
  NativeConnection.connect(connectionOptions),
  Connection.connect(connectionOptions),
]);
const client = new Client({ connection: clientConnection, namespace });
const resources = await connectResources(readEnvironment(), client);
const bundle = process.env.CUPEL_WORKFLOW_BUNDLE;
const worker = await Worker.create({
  connection,
  namespace,
  taskQueue: TASK_QUEUE,
  ...(bundle
    ? { workflowBundle: { codePath: bundle } }
    : { workflowsPath: fileURLToPath(new URL('./workflows/index.ts', import.meta.url)) }),
  activities: createActivities(resources),
  interceptors: { activity: [() => ({ inbound: new CodedFailures() })] },
  shutdownGraceTime: '10s',
});
try {
  await worker.run();
} finally {
  await Promise.all([connection.close(), clientConnection.close()]);
}
