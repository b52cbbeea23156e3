import { describe, expect, test } from 'vitest';
import type { Chunk, Manifest } from '../../../src/lakehouse/deltas/index.ts';
import { rawColumns } from '../../../src/lakehouse/raw/index.ts';
import type { Places } from '../../../src/lineage/datasets.ts';
import { jobEvent, runEvent, runIdOf } from '../../../src/lineage/index.ts';
import type { EventType, Facet, OutputDataset, Work } from '../../../src/lineage/index.ts';
import { actionEvents, invocationWork } from '../../../src/lineage/jobs/dataform.ts';
import type { Invocation, KnownDatasets, RanAction } from '../../../src/lineage/jobs/dataform.ts';
import { commitWork } from '../../../src/lineage/jobs/commit.ts';
import { kappaWork, streamedWork, streamWork } from '../../../src/lineage/jobs/kappa.ts';
import { fileWork, pollWork, redriveWork, standingWork } from '../../../src/lineage/jobs/land.ts';
import { lineageSinks } from '../../../src/activities/lineage/index.ts';
import { contractOf, earthquakes } from '../../support/contracts.ts';
import { lineageErrors, nameOf } from '../../support/openlineage.ts';

const PLACES: Places = {
  project: 'p',
  buckets: { bronze: 'p-bronze', ops: 'p-ops', quarantine: 'p-quarantine', inbox: 'p-inbox' },
  recordsTopic: 'cupel-records',
  catalog: { uri: 'https://catalog.test/iceberg', warehouse: 'gs://p-silver', name: 'p-silver' },
};
const AT = Date.parse('2025-05-04T10:00:00Z');
const contract = earthquakes();
const pipeline = { runId: runIdOf('pipeline'), job: 'pipeline.earthquakes' };
const parentage = { parent: pipeline, root: { runId: runIdOf('tick'), job: 'backfill.earthquakes' } };

const chunk: Chunk = {
  batchId: 'b',
  source: 'earthquakes',
  table: 'silver.earthquakes',
  contractHash: contract.hash,
  rulesVersion: 1,
  fingerprint: 'f',
  partitions: ['all_hour/2025-05-04T10', 'all_day/2025-05-04T06'].map((partition) => ({ partition, fingerprint: 'f' })),
  objects: [
    { name: 'a', generation: '1', bytes: 10, partition: 'all_hour/2025-05-04T10' },
    { name: 'b', generation: '1', bytes: 7, partition: 'all_day/2025-05-04T06' },
  ],
};
const manifest: Manifest = {
  version: 1,
  batchId: 'b',
  table: 'silver.earthquakes',
  source: 'earthquakes',
  contractHash: contract.hash,
  rulesVersion: 1,
  fingerprint: 'f',
  files: [{ uri: 'gs://p-ops/_deltas/x.parquet', bucket: 0, rows: 3, bytes: 99 }],
  recordsIn: 5,
  quarantined: 1,
  reduced: 1,
  rows: 3,
  quarantine: [{ reasonCode: 'KEY_MISSING', count: 1 }],
  byPartition: chunk.partitions.map((of, index) => ({
    ...of,
    recordsIn: 2 + index,
    quarantined: index,
    reduced: 1 - index,
    rows: 1 + index,
  })),
};
const silver = { table: { namespace: 'silver', name: 'earthquakes', location: 'gs://p-silver/silver/earthquakes' } };
const committed = { read: { rowCount: 3 }, written: { rowCount: 2, size: 50, fileCount: 1 }, snapshotId: '123' };
const poll = { feed: 'all_hour', nominalTime: '2025-05-04T10:00:00Z' };
const landing = { object: 'o', alreadyLanded: false, state: 'landed', carrierOrder: '1' } as const;
const polled = { ...landing, bytes: 10, records: 2, published: 2 };
const file = { alreadyLanded: false, description: { records: 3, bytes: 9 } } as Parameters<typeof fileWork>[3];
const networks = contractOf('networks');
const log = { log: 'gs://p-silver/logs/silver/felt_reports/' };

const WORKS: Record<string, Work> = {
  'a poll that begins': pollWork(PLACES, contract, poll),
  'a poll': pollWork(PLACES, contract, poll, polled),
  'a dropped file': fileWork(PLACES, networks, 'registry', file),
  'a re-drive': redriveWork(PLACES, networks, ['registry']),
  'a Kappa job that begins': kappaWork(PLACES, contract, chunk),
  'a Kappa job': kappaWork(PLACES, contract, chunk, manifest),
  'a pull': kappaWork(PLACES, contract, { ...chunk, pull: [{ feed: 'fdsn', from: 'a', to: 'b' }] }, manifest),
  'a streaming job': streamWork(PLACES, contract, 'silver.earthquakes'),
  'a streamed batch': streamedWork(PLACES, contract, { ...manifest, byPartition: [] }),
  'a commit that begins': commitWork(PLACES, contract, 'commit', undefined),
  'a commit': commitWork(PLACES, contract, 'commit', silver, committed),
  'a rebuild': commitWork(PLACES, contract, 'rebuild', silver, committed),
  'an audit': commitWork(PLACES, contract, 'audit', silver, committed),
  'a commit to a log': commitWork(PLACES, contractOf('felt_reports'), 'commit', log, committed),
};

const failure = 'CUP_QUARANTINE_CAP: expected a smaller share of refused records';
const TYPES: EventType[] = ['START', 'COMPLETE', 'FAIL', 'ABORT'];

describe('events fit the specification', () => {
  test('and the check finds what does not', () => {
    const [work] = Object.values(WORKS) as [Work];
    const right = runEvent('ns', work, { runId: runIdOf('a'), type: 'START', at: AT });
    expect(lineageErrors(right)).toEqual([]);
    expect(lineageErrors({ ...right, run: { runId: 'no UUID' } })).not.toEqual([]);
    const wrong = { ...right.run.facets?.processing_engine, version: 1 } as unknown as Facet;
    expect(lineageErrors({ ...right, run: { ...right.run, facets: { processing_engine: wrong } } })).not.toEqual([]);
    expect(lineageErrors({ ...right, run: { ...right.run, facets: { parent: wrong } } })).not.toEqual([]);
  });

  test.each(Object.entries(WORKS))('%s', (_, work) => {
    for (const type of TYPES) {
      const given = { runId: runIdOf('a', type), type, at: AT, parentage };
      const event = runEvent('ns', work, type === 'FAIL' || type === 'ABORT' ? { ...given, failure } : given);
      expect(lineageErrors(event)).toEqual([]);
      expect(event.run.facets?.parent).toMatchObject({ run: { runId: pipeline.runId }, job: { namespace: 'ns' } });
      expect(event.run.facets?.errorMessage?.message).toBe(type === 'FAIL' || type === 'ABORT' ? failure : undefined);
    }
  });

  test.each(['earthquakes', 'felt_reports', 'github_events', 'networks'])('what stands for %s', (source) => {
    const of = contractOf(source);
    const events = standingWork(PLACES, of, rawColumns(of)).map((work) => jobEvent('ns', work, AT));
    expect(events.flatMap(lineageErrors)).toEqual([]);
    expect(events.map(({ job }) => job.name)).toEqual(
      {
        earthquakes: ['raw.earthquakes'],
        felt_reports: ['archive.felt_reports', 'raw.felt_reports'],
        github_events: ['webhook.github_events.deliveries', 'raw.github_events'],
        networks: [],
      }[source],
    );
  });

  test('runs of workflows', async () => {
    const events: unknown[] = [];
    const emitter = { add: (gather: () => Promise<unknown[]>) => void gather().then((of) => events.push(...of)) };
    const sinks = lineageSinks({ lineage: emitter, environment: { lineage: { namespace: 'ns' } } } as never);
    const run = { runId: runIdOf('w'), job: 'committer.silver.earthquakes', at: AT, service: true, parentage };
    for (const type of TYPES) await sinks.lineage.run.fn({} as never, { ...run, type, failure: 'x' });
    expect(events).toHaveLength(4);
    expect((events as Parameters<typeof lineageErrors>[0][]).flatMap(lineageErrors)).toEqual([]);
  });
});

describe('what a Kappa job tells', () => {
  const { inputs, outputs } = WORKS['a Kappa job'] as Work;
  const [deltas, quarantine] = outputs as [OutputDataset, OutputDataset];

  test('each feed with what was read of it', () => {
    expect(inputs.map(nameOf)).toEqual(['gs://p-bronze earthquakes/all_hour', 'gs://p-bronze earthquakes/all_day']);
    const read = inputs.map(({ inputFacets }) => inputFacets?.inputStatistics);
    expect(read).toMatchObject([
      { rowCount: 2, size: 10, fileCount: 1 },
      { rowCount: 3, size: 7, fileCount: 1 },
    ]);
  });

  test('what it published, and what it refused', () => {
    expect(nameOf(deltas)).toBe('gs://p-ops _deltas/silver.earthquakes');
    expect(deltas.outputFacets?.outputStatistics).toMatchObject({ rowCount: 3, size: 99, fileCount: 1 });
    expect(nameOf(quarantine)).toBe('gs://p-quarantine earthquakes');
    expect(quarantine.outputFacets?.outputStatistics).toMatchObject({ rowCount: 1 });
  });

  test('every column with the members that it is made of', () => {
    const { fields, dataset } = deltas.facets?.columnLineage as unknown as {
      fields: Record<string, { inputFields: { name: string; field: string; transformations: object[] }[] }>;
      dataset: { field: string; transformations: object[] }[];
    };
    const columns = contract.columns.map(({ name }) => name);
    expect(Object.keys(fields)).toEqual([...columns, '_first_version']);
    expect(fields.magnitude?.inputFields).toMatchObject(
      ['earthquakes/all_hour', 'earthquakes/all_day'].map((name) => ({
        name,
        field: 'properties.mag',
        transformations: [{ type: 'DIRECT', subtype: 'IDENTITY' }],
      })),
    );
    expect(fields.event_time?.inputFields[0]?.transformations).toMatchObject([
      { subtype: 'TRANSFORMATION', description: 'epoch-millis' },
    ]);
    expect(new Set(fields.event_id?.inputFields.map(({ field }) => field))).toEqual(new Set(['id', 'properties.url']));
    expect(dataset.map(({ field }) => field)).toEqual(['id', 'id', 'properties.updated', 'properties.updated']);
  });

  test('a pull asks the origin, and lands before it reads', () => {
    const pull = WORKS['a pull'] as Work;
    expect(pull.inputs.map(nameOf)[0]).toBe('https://earthquake.usgs.gov /fdsnws/event/1/query');
    expect(pull.outputs.map(nameOf)).toContain('gs://p-bronze earthquakes/fdsn');
  });
});

describe('what a commit tells', () => {
  const [table] = (WORKS['a commit'] as Work).outputs as [OutputDataset];

  test('Silver by its place, its version and its other names', () => {
    expect(nameOf(table)).toBe('gs://p-silver silver/earthquakes');
    expect(table.facets?.version).toMatchObject({ datasetVersion: '123' });
    expect(table.facets?.symlinks?.identifiers).toEqual([
      { namespace: 'https://catalog.test/iceberg', name: 'silver.earthquakes', type: 'TABLE' },
      { namespace: 'bigquery', name: 'p.p-silver.silver.earthquakes', type: 'TABLE' },
    ]);
    expect(table.outputFacets?.outputStatistics).toMatchObject({ rowCount: 2, size: 50, fileCount: 1 });
  });

  test("the schema in Iceberg's types", () => {
    const fields = table.facets?.schema?.fields as { name: string; type: string }[];
    expect(fields.map(({ name, type }) => [name, type])).toEqual(
      contract.icebergSchema.fields.map(({ name, type }) => [name, type]),
    );
  });
});

describe('an invocation of Dataform', () => {
  const target = (schema: string, name: string, database = 'p') => ({ database, schema, name });
  const [raw, gold, check] = [target('raw', 'r'), target('gold', 'g'), target('checks', 'g_assertions_uniqueKey_0')];
  const later = target('gold', 'later');
  const invocation: Invocation = {
    name: 'invocations/1',
    coreVersion: '3.0.62',
    tags: ['gold'],
    compiled: [
      { target: raw, declaration: {} },
      {
        target: gold,
        relation: { tags: ['gold'], relationType: 'TABLE', selectQuery: 'SELECT 1', dependencyTargets: [raw] },
      },
      { target: check, assertion: { tags: ['gold'], selectQuery: 'SELECT 2', dependencyTargets: [gold] } },
      { target: later, relation: { tags: ['gold'], relationType: 'VIEW', dependencyTargets: [gold, check] } },
    ],
  };
  const known: KnownDatasets = {
    datasetOf: ({ schema, name }) => ({ namespace: 'bigquery', name: `p.${schema}.${name}` }),
    tableOf: () => ({ fields: [{ name: 'c', type: 'INTEGER' }], rows: 7, bytes: 70 }),
  };
  const timing = { startTime: { seconds: AT / 1000, nanos: 5e8 }, endTime: { seconds: AT / 1000 + 3, nanos: 0 } };
  const ran = (of: object, state: 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'SKIPPED', failureReason = ''): RanAction => ({
    target: of,
    state,
    failureReason,
    invocationTiming: timing,
    bigqueryAction: { jobId: 'job-1' },
  });
  const parent = { runId: runIdOf('dataform', invocation.name), job: 'dataform.gold' };
  const eventsOf = (action: RanAction) => actionEvents('ns', invocation, known, action, { parent, root: pipeline }, AT);

  test('is what its actions are part of, and claims none of their tables', () => {
    const work = invocationWork(invocation);
    expect(work).toMatchObject({ job: 'dataform.gold', inputs: [], outputs: [] });
    expect(lineageErrors(runEvent('ns', work, { runId: parent.runId, type: 'COMPLETE', at: AT }))).toEqual([]);
  });

  test('an action, at the times that Dataform tells', () => {
    const [start, end] = eventsOf(ran(gold, 'SUCCEEDED'));
    expect([start, end].flatMap((event) => (event ? lineageErrors(event) : ['none']))).toEqual([]);
    expect(start).toMatchObject({ eventType: 'START', eventTime: '2025-05-04T10:00:00.500Z' });
    expect(end).toMatchObject({ eventType: 'COMPLETE', eventTime: '2025-05-04T10:00:03.000Z' });
    expect(end?.job).toMatchObject({ name: 'dataform.gold.g', facets: { sql: { query: 'SELECT 1' } } });
    expect(end?.run?.facets?.externalQuery).toMatchObject({ externalQueryId: 'job-1' });
    expect(end?.outputs[0]?.outputFacets?.outputStatistics).toMatchObject({ rowCount: 7, size: 70 });
    expect(end?.outputs[0]?.facets?.columnLineage).toBeUndefined();
  });

  test('an assertion is a check of what it reads, and no input of what waits for it', () => {
    const [, end] = eventsOf(ran(check, 'FAILED', 'Assertion failed, expected zero rows.'));
    expect(end ? lineageErrors(end) : ['none']).toEqual([]);
    expect(end).toMatchObject({ eventType: 'FAIL', outputs: [] });
    expect(end?.inputs[0]?.inputFacets?.dataQualityAssertions?.assertions).toEqual([
      { assertion: 'unique', name: 'checks.g_assertions_uniqueKey_0', success: false },
    ]);
    const [, view] = eventsOf(ran(later, 'SUCCEEDED'));
    expect(view?.inputs.map(nameOf)).toEqual(['bigquery p.gold.g']);
  });

  test('what BigQuery says of a value is not told', () => {
    const [, end] = eventsOf(ran(gold, 'FAILED', 'Bad double value: 4111-1111'));
    expect(JSON.stringify(end)).not.toContain('4111');
    expect(end?.run?.facets?.errorMessage?.message).toMatch(/^CUP_DATAFORM_INVOCATION_FAILED: .*job-1/);
    expect(eventsOf(ran(gold, 'CANCELLED')).map(({ eventType }) => eventType)).toEqual(['START', 'ABORT']);
    expect(eventsOf(ran(gold, 'SKIPPED'))).toEqual([]);
  });
});

test('the same step is the same run, and no two are one', () => {
  expect(runIdOf('a', 'b')).toBe(runIdOf('a', 'b'));
  expect(runIdOf('a', 'b')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(new Set([runIdOf('a', 'b'), runIdOf('ab'), runIdOf('a', 'b', ''), runIdOf('b', 'a')]).size).toBe(4);
});
