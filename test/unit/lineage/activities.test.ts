import { CancelledFailure } from '@temporalio/common';
import { expect, test } from 'vitest';
import type { ActivityResources } from '../../../src/activities/index.ts';
import { lineageOfActivities } from '../../../src/activities/lineage/index.ts';
import { endOfFailure } from '../../../src/activities/lineage/interceptor.ts';
import { cupelError } from '../../../src/errors.ts';
import { readEnvironment } from '../../../src/gcp/env.ts';
import { chunkOfReport, reportUri } from '../../../src/lakehouse/deltas/report-name.ts';
import { lineageProbe, PARENT } from '../../support/lineage.ts';
import { lineageErrors, nameOf } from '../../support/openlineage.ts';

const NOW = Date.parse('2025-05-04T10:00:00Z');
const POLL = { source: 'earthquakes', feed: 'all_hour', nominalTime: '2025-05-04T10:00:00Z' };
const RESULT = { object: 'o', alreadyLanded: true, state: 'landed', bytes: 9, records: 2, published: 0 };
const lineage = () => lineageProbe(NOW);

test('a poll is one run with two events, part of its workflow', async () => {
  const { events, attempt } = lineage();
  expect(await attempt('pollFeed', { attempt: 1 }, POLL, () => Promise.resolve(RESULT))).toBe(RESULT);
  expect(events.flatMap(lineageErrors)).toEqual([]);
  expect(events.map(({ eventType, eventTime }) => [eventType, eventTime])).toEqual([
    ['START', '2025-05-04T10:00:00.000Z'],
    ['COMPLETE', '2025-05-04T10:00:00.000Z'],
  ]);
  const [start, end] = events;
  expect(end?.run?.runId).toBe(start?.run?.runId);
  expect(end?.job).toMatchObject({ namespace: 'lake', name: 'poll.earthquakes.all_hour' });
  expect(end?.run?.facets?.parent).toMatchObject({
    run: { runId: PARENT.runId },
    root: { run: { runId: PARENT.runId } },
  });
  expect(end?.run?.facets?.nominalTime).toMatchObject({ nominalStartTime: POLL.nominalTime });
  expect(end?.inputs.map(nameOf)).toEqual([
    'https://earthquake.usgs.gov /earthquakes/feed/v1.0/summary/all_hour.geojson',
  ]);
  expect(end?.outputs.map(nameOf)).toEqual(['gs://p-bronze earthquakes/all_hour', 'pubsub topic:p:cupel-records']);
  expect(end?.outputs[0]?.outputFacets?.outputStatistics).toMatchObject({ rowCount: 0, size: 0, fileCount: 0 });
});

test('a failure that passes ends no run, and a later attempt is the same run', async () => {
  const { events, attempt } = lineage();
  const passing = cupelError('CUP_FUNCTION_UNAVAILABLE');
  expect(await attempt('pollFeed', { attempt: 1 }, POLL, () => Promise.reject(passing))).toBe(passing);
  await attempt('pollFeed', { attempt: 2 }, POLL, () => Promise.resolve(RESULT));
  expect(events.map(({ eventType }) => eventType)).toEqual(['START', 'COMPLETE']);
  expect(new Set(events.map(({ run }) => run?.runId)).size).toBe(1);
  await attempt('pollFeed', { attempt: 1, activityId: '2' }, POLL, () => Promise.resolve(RESULT));
  expect(new Set(events.map(({ run }) => run?.runId)).size).toBe(2);
});

test.each([
  [
    'one that trying does not mend',
    1,
    cupelError('CUP_FUNCTION_REFUSED', { status: 403 }),
    'FAIL',
    /CUP_FUNCTION_REFUSED.*403/,
  ],
  ['the last one allowed', 3, cupelError('CUP_FUNCTION_UNAVAILABLE'), 'FAIL', /CUP_FUNCTION_UNAVAILABLE/],
  ['one that nobody foresaw', 3, new Error('value 4111'), 'FAIL', /^an error without a code/],
  ['a cancellation', 1, new CancelledFailure('stop'), 'ABORT', /cancelled/],
])('%s ends the run', async (_, number, error, type, message) => {
  const { events, attempt } = lineage();
  const info = { attempt: number, retryPolicy: { maximumAttempts: 3 } };
  expect(await attempt('pollFeed', info, POLL, () => Promise.reject(error))).toBe(error);
  expect(events.flatMap(lineageErrors)).toEqual([]);
  expect(events.at(-1)?.eventType).toBe(type);
  expect(events.at(-1)?.run?.facets?.errorMessage?.message).toMatch(message);
});

test('a worker that ends leaves the run to another one', () => {
  const [stopped, info] = [new CancelledFailure('WORKER_SHUTDOWN'), { attempt: 1 }];
  expect(endOfFailure(stopped, info, { cancelRequested: false, notFound: false })).toBeUndefined();
  expect(endOfFailure(stopped, info, { cancelRequested: true, notFound: false })).toMatchObject({ type: 'ABORT' });
});

test('facts that cannot be found cost an event, and no data', async () => {
  const { events, warnings, attempt } = lineage();
  const unknown = { ...POLL, source: 'nobody' };
  expect(await attempt('pollFeed', { attempt: 1 }, unknown, () => Promise.resolve(RESULT))).toBe(RESULT);
  expect(events).toEqual([]);
  expect(warnings.map(({ code }) => code)).toEqual(['CUP_SOURCE_UNKNOWN', 'CUP_SOURCE_UNKNOWN']);
});

test('what nobody tells of goes its way', async () => {
  const { events, attempt } = lineage();
  expect(await attempt('freeDataflowJobs', { attempt: 1 }, undefined, () => Promise.resolve(5))).toBe(5);
  expect(events).toEqual([]);
});

test('without a receiver there is no interceptor', () => {
  const environment = readEnvironment({ CUPEL_PROJECT: 'p' });
  expect(environment.lineage).toBeUndefined();
  expect(lineageOfActivities({ environment } as ActivityResources)).toEqual([]);
});

test('where lineage goes is read from the environment', () => {
  const env = { CUPEL_PROJECT: 'p', CUPEL_OPENLINEAGE_URL: 'http://marquez:5000', CUPEL_OPENLINEAGE_API_KEY: 'k' };
  expect(readEnvironment(env).lineage).toEqual({
    namespace: 'p',
    http: { url: 'http://marquez:5000', endpoint: 'api/v1/lineage', apiKey: 'k', timeoutMs: 5000 },
  });
  expect(() => readEnvironment({ ...env, CUPEL_OPENLINEAGE_URL: 'marquez' })).toThrow(/CUPEL_OPENLINEAGE_URL/);
});

test('a report leads back to its chunk', () => {
  const report = reportUri('gs://o/chunks/b.json', '0197-aa', 2);
  expect(report).toBe('gs://o/chunks/b.failed/0197aa2.json');
  expect(chunkOfReport(report)).toBe('gs://o/chunks/b.json');
  expect(chunkOfReport('gs://o/streams/_reports/s/r1.json')).toBeUndefined();
});
