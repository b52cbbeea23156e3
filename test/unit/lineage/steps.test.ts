import { expect, test } from 'vitest';
import { createActivities } from '../../../src/activities/index.ts';
import type { ActivityResources } from '../../../src/activities/index.ts';
import { tellStreamed } from '../../../src/activities/lineage/index.ts';
import { cupelError } from '../../../src/errors.ts';
import { DeltaStore } from '../../../src/lakehouse/deltas/index.ts';
import type { Chunk, Done, Manifest } from '../../../src/lakehouse/deltas/index.ts';
import { reportUri } from '../../../src/lakehouse/deltas/report-name.ts';
import type { TableMetadata } from '../../../src/lakehouse/iceberg/index.ts';
import { TOLD_ACTIVITIES } from '../../../src/workflows/lineage/workflow-run.ts';
import { earthquakes } from '../../support/contracts.ts';
import { lineageProbe, PARENT } from '../../support/lineage.ts';
import { memoryCatalog } from '../../support/memory-lake.ts';
import { MemoryObjects } from '../../support/memory-objects.ts';
import { lineageErrors, nameOf, upstreamOf } from '../../support/openlineage.ts';
import { MockActivityEnvironment } from '@temporalio/testing';

const NOW = Date.parse('2025-05-04T10:00:00Z');
const TABLE = 'silver.earthquakes';
const contract = earthquakes();
const contractUri = `gs://p-ops/contracts/earthquakes/${contract.hash}.json`;
const made = { batchId: 'b1', source: 'earthquakes', table: TABLE, contractHash: contract.hash, rulesVersion: 1 };
const chunk: Chunk = {
  ...made,
  fingerprint: 'f',
  partitions: [{ partition: 'all_hour/2025-05-04T10', fingerprint: 'f' }],
  objects: [{ name: 'a', generation: '1', bytes: 10, partition: 'all_hour/2025-05-04T10' }],
};
const manifest: Manifest = {
  ...made,
  version: 1,
  fingerprint: 'f',
  files: [{ uri: 'gs://p-ops/x', bucket: 0, rows: 3, bytes: 99 }],
  recordsIn: 4,
  quarantined: 0,
  reduced: 1,
  rows: 3,
  quarantine: [],
  byPartition: [
    { partition: 'all_hour/2025-05-04T10', fingerprint: 'f', recordsIn: 4, quarantined: 0, reduced: 1, rows: 3 },
  ],
};
const done = { version: 1, outcome: 'committed', groupId: 'g', fingerprint: 'f', rows: 3, bytes: 99 } as const;

const snapshot = (id: number, at: number) => ({
  'snapshot-id': id,
  'sequence-number': id,
  'timestamp-ms': at,
  'manifest-list': 'gs://b/m.avro',
  summary: {
    'cupel.inserted-rows': '2',
    'cupel.updated-rows': '1',
    'added-files-size': '500',
    'added-data-files': '4',
  } as Record<string, string>,
});

/** Silver as one snapshot of before and one of now left it. */
const catalog = () =>
  memoryCatalog({
    location: 'gs://p-silver/silver/earthquakes',
    snapshots: [snapshot(1, NOW - 3_600_000), snapshot(2, NOW)],
    refs: { main: { 'snapshot-id': 2, type: 'branch' } },
  } as unknown as TableMetadata);

async function probe(more: object = {}) {
  const { store } = new MemoryObjects();
  const deltas = new DeltaStore(store, 'p-ops');
  await store.create(contractUri, JSON.stringify(contract));
  await deltas.writeChunk(chunk);
  await deltas.writeManifest(manifest);
  const settle = (snapshotId: string | null): Promise<void> =>
    deltas.writeDone(TABLE, { ...done, batchId: 'b1', snapshotId, groupBytesWritten: 500 } satisfies Done);
  return { settle, ...lineageProbe(NOW, { store, deltas, catalog: catalog(), silverBucket: 'p-silver', ...more }) };
}

const report = reportUri(new DeltaStore(new MemoryObjects().store, 'p-ops').chunkUri('b1'), PARENT.runId, 1);
const launch = { work: 'b1', run: 'r', namePrefix: 'n', parameters: { chunk: 'c', contract: contractUri, report } };
const commit = { table: TABLE, batchIds: ['b1'], contractUri };

test('launching and awaiting a job are one run, and the commit goes on where it ended', async () => {
  const { events, attempt, settle } = await probe();
  await attempt('launchDataflowJob', {}, launch, () => ({ jobId: 'j', jobName: 'n' }));
  await attempt('awaitDataflowJob', { activityId: '2' }, { jobId: 'j', jobName: 'n', report }, () => ({}));
  await attempt('commitBatches', { activityId: '3', scheduledTimestampMs: NOW }, commit, () => settle('2'));
  await attempt('commitBatches', { activityId: '3', scheduledTimestampMs: NOW }, commit, () => []);
  expect(events.flatMap(lineageErrors)).toEqual([]);
  const told = events.map(({ eventType, job }) => `${eventType} ${job.name}`);
  expect(told.slice(0, 3)).toEqual(['START kappa.earthquakes', 'COMPLETE kappa.earthquakes', `START commit.${TABLE}`]);
  expect(events[0]?.run?.runId).toBe(events[1]?.run?.runId);
  const written = events.at(-1)?.outputs[0];
  expect(written?.outputFacets?.outputStatistics).toMatchObject({ rowCount: 3, size: 500, fileCount: 4 });
  expect(written?.facets?.version).toMatchObject({ datasetVersion: '2' });
  expect([...upstreamOf(events, 'gs://p-silver silver/earthquakes')]).toEqual([
    'gs://p-ops _deltas/silver.earthquakes',
    'gs://p-bronze earthquakes/all_hour',
  ]);
});

test('a batch that was committed before is not written again', async () => {
  const { events, attempt, settle } = await probe();
  await settle('1');
  await attempt('commitBatches', { scheduledTimestampMs: NOW }, commit, () => []);
  const written = events.at(-1)?.outputs[0];
  expect(written?.outputFacets?.outputStatistics).toMatchObject({ rowCount: 0, size: 0, fileCount: 0 });
  expect(written?.facets?.version).toMatchObject({ datasetVersion: '1' });
});

test('a job that fails says so without what its log quotes', async () => {
  const { events, attempt } = await probe();
  const error = cupelError('CUP_DATAFLOW_JOB_FAILED', { errors: 'bad value 4111' });
  await attempt('awaitDataflowJob', {}, { jobId: 'j', jobName: 'n', report }, () => Promise.reject(error));
  expect(events.map(({ eventType }) => eventType)).toEqual(['FAIL']);
  expect(events.flatMap(lineageErrors)).toEqual([]);
  expect(JSON.stringify(events)).not.toContain('4111');
});

test('a streaming job is a run from its launch to its end, and each batch one of its own', async () => {
  const { events, attempt, resources } = await probe();
  const streamReport = 'gs://p-ops/streams/_reports/earthquakes/r1.json';
  const parameters = { contract: contractUri, report: streamReport };
  const follow = { source: 'earthquakes', contractUri, job: { jobId: 'j', jobName: 'n', report: streamReport } };
  await attempt('launchDataflowJob', {}, { ...launch, template: 'stream', parameters }, () => ({}));
  await attempt('followStream', {}, follow, () => ({ batches: 1 }));
  await attempt('followStream', {}, follow, () => Promise.reject(cupelError('CUP_GOOGLE_REFUSED')));
  expect(events.map(({ eventType }) => eventType)).toEqual(['START']);
  const span = { messages: 4, oldest: '', newest: '', fromHour: '2025-05-04T10' };
  const batch = { batchId: 'b1', table: TABLE, contractUri, at: '2025-05-04T10:00:01Z', number: 1, ...span };
  const workflowExecution = { workflowId: 'w', runId: PARENT.runId };
  await new MockActivityEnvironment({ workflowExecution }).run(() =>
    Promise.resolve(tellStreamed(resources, 'earthquakes', [batch], streamReport)),
  );
  await resources.lineage?.idle();
  await attempt('followStream', {}, follow, () => ({ end: { how: 'failed', code: 'CUP_DATAFLOW_JOB_CANCELLED' } }));
  expect(events.map(({ eventType, job }) => `${eventType} ${job.name}`)).toEqual([
    'START kappa-stream.earthquakes',
    'START kappa-stream.earthquakes.batch',
    'COMPLETE kappa-stream.earthquakes.batch',
    'ABORT kappa-stream.earthquakes',
  ]);
  expect(events.flatMap(lineageErrors)).toEqual([]);
  expect(events[2]?.run?.facets?.parent).toMatchObject({
    run: { runId: events[0]?.run?.runId },
    root: { job: { name: 'stream.earthquakes' } },
  });
  expect(events[2]?.inputs.map(nameOf)).toEqual(['pubsub topic:p:cupel-records']);
});

test('an invocation is a run, and each action one of its own; Silver is the dataset that the committer writes', async () => {
  const target = (schema: string, name: string, database = 'p') => ({ database, schema, name });
  const gold = target('gold', 'daily');
  const dependencyTargets = [target('silver', 'earthquakes', 'p.p-silver')];
  async function* of(...values: object[]) {
    yield* await Promise.resolve(values);
  }
  const dataform = {
    getWorkflowInvocation: () =>
      Promise.resolve([{ compilationResult: 'c', invocationConfig: { includedTags: ['gold'] } }]),
    getCompilationResult: () => {
      const codeCompilationConfig = { vars: { as_of: new Date(NOW - 1).toISOString() } };
      return Promise.resolve([{ dataformCoreVersion: '3.0.62', codeCompilationConfig }]);
    },
    queryCompilationResultActionsAsync: () =>
      of({
        target: gold,
        relation: { tags: ['gold'], relationType: 'TABLE', selectQuery: 'SELECT 1', dependencyTargets },
      }),
    queryWorkflowInvocationActionsAsync: () => of({ target: gold, state: 'SUCCEEDED', bigqueryAction: { jobId: 'q' } }),
  };
  const metadata = { schema: { fields: [{ name: 'day', type: 'DATE' }] }, numRows: '31', numBytes: '310' };
  const bigquery = { dataset: () => ({ table: () => ({ getMetadata: () => Promise.resolve([metadata]) }) }) };
  const { events, attempt } = await probe({ dataform, bigquery });
  await attempt('awaitDataform', {}, { invocation: 'i' }, () => undefined);
  expect(events.flatMap(lineageErrors)).toEqual([]);
  expect(events.map(({ eventType, job }) => `${eventType} ${job.name}`)).toEqual([
    'START dataform.gold',
    'START dataform.gold.daily',
    'COMPLETE dataform.gold.daily',
    'COMPLETE dataform.gold',
  ]);
  const [invocation, , action] = events;
  expect(action?.run?.facets?.parent).toMatchObject({
    run: { runId: invocation?.run?.runId },
    root: { run: { runId: PARENT.runId } },
  });
  expect(action?.inputs.map(nameOf)).toEqual(['gs://p-silver silver/earthquakes']);
  expect(action?.inputs[0]?.facets?.version).toMatchObject({ datasetVersion: '1' }); // as of a moment before the second
  expect(action?.outputs[0]?.outputFacets?.outputStatistics).toMatchObject({ rowCount: 31, size: 310 });
  expect(action?.outputs[0]?.facets?.schema?.fields).toEqual([{ name: 'day', type: 'DATE' }]);
});

test('what stands for a contract is told once', async () => {
  const { events, attempt } = await probe();
  const resolve = () => ({ hash: contract.hash, uri: contractUri, table: TABLE });
  for (const activityId of ['1', '2'])
    await attempt('resolveContract', { activityId }, { source: 'earthquakes' }, resolve);
  expect(events.map(({ job, outputs }) => [job.name, ...outputs.map(nameOf)])).toEqual([
    ['raw.earthquakes', 'bigquery p.raw.earthquakes'],
  ]);
});

test('workflows hand down what activities are part of to those that are told of, and these exist', () => {
  const { resources } = lineageProbe(NOW);
  const activities = createActivities({ ...resources, dataflow: {}, catalog: {} } as unknown as ActivityResources);
  expect([...TOLD_ACTIVITIES].filter((name) => !(name in activities))).toEqual([]);
});
