import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import proto from '@temporalio/proto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { workflowBundle } from '../../local/workflow-bundle.ts';
import { PROJECT, toolPath } from '../../scripts/tools.ts';
import type { Activities, ActivityResources } from '../../src/activities/index.ts';
import { lineageOfActivities, lineageSinks } from '../../src/activities/lineage/index.ts';
import { CodedFailures } from '../../src/activities/coded-failures.ts';
import { BACKFILL_TASK_QUEUE, TASK_QUEUE } from '../../src/workflows/ids.ts';
import { SEARCH_ATTRIBUTES } from '../../src/workflows/search-attributes.ts';

/** The message that a history is. */
export const { History } = proto.temporal.api.history.v1;

/** Folder of recorded histories, in protobuf's binary form. `CUPEL_RECORD_HISTORIES=1` records them anew. */
export const HISTORIES = path.join(PROJECT, 'test/fixtures/histories');

Runtime.install({ logger: new DefaultLogger('ERROR') });

/** A Temporal server whose time runs as fast as nothing happens. */
export async function timeSkipping(): Promise<TestWorkflowEnvironment> {
  const env = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path: toolPath('testServer') } },
  });
  // Keyword is 2 in Temporal's API. Without its attributes the test server never completes an upsert.
  const searchAttributes = Object.fromEntries(Object.keys(SEARCH_ATTRIBUTES).map((name) => [name, 2]));
  await env.connection.operatorService.addSearchAttributes({ namespace: 'default', searchAttributes });
  return env;
}

/** A worker of Cupel's workflows with the activities of a test. */
export async function cupelWorker(
  env: TestWorkflowEnvironment,
  activities: Partial<Activities>,
  taskQueue = TASK_QUEUE,
  lineage?: ActivityResources,
): Promise<Worker> {
  return Worker.create({
    connection: env.nativeConnection,
    ...(env.namespace ? { namespace: env.namespace } : {}),
    taskQueue,
    identity: 'cupel-test',
    // A heartbeat is how an activity hears that it is cancelled.
    maxHeartbeatThrottleInterval: 200,
    workflowBundle: { codePath: await workflowBundle() },
    activities,
    interceptors: {
      activity: [() => ({ inbound: new CodedFailures() }), ...(lineage ? lineageOfActivities(lineage) : [])],
    },
    sinks: lineageSinks(lineage),
  });
}

/** Runs work while workers serve both of Cupel's queues. */
export async function whileServing<T>(
  env: TestWorkflowEnvironment,
  activities: Partial<Activities>,
  work: () => Promise<T>,
): Promise<T> {
  const first = await cupelWorker(env, activities);
  const second = await cupelWorker(env, activities, BACKFILL_TASK_QUEUE);
  return first.runUntil(() => second.runUntil(work));
}

/** Takes out what tells about the machine that recorded: stack traces and who asked. A replay reads neither. */
function scrub(value: unknown): void {
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return;
  const fields = value as Record<string, unknown>;
  for (const [name, field] of Object.entries(fields)) {
    if (name === 'stackTrace') fields[name] = '';
    else if (name === 'identity') fields[name] = 'cupel-test';
    else scrub(field);
  }
}

/** Keeps the history of a run, when histories are recorded; with its workflow's id, which names its children. */
export async function record(handle: Pick<WorkflowHandle, 'fetchHistory' | 'workflowId'>, name: string): Promise<void> {
  if (process.env.CUPEL_RECORD_HISTORIES !== '1') return;
  await mkdir(HISTORIES, { recursive: true });
  const history = await handle.fetchHistory();
  scrub(history);
  const started = history.events?.[0]?.workflowExecutionStartedEventAttributes;
  if (started) started.workflowId ||= handle.workflowId; // the time-skipping server leaves it out
  await writeFile(path.join(HISTORIES, `${name}.binpb`), History.encode(history).finish());
}
