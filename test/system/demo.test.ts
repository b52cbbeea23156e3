import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../local/demo/report.ts';
import type { PipelineResult } from '../../src/workflows/pipeline.ts';
import { feltReports } from '../../local/felt/reports.ts';
import type { FeltEarthquake } from '../../local/felt/reports.ts';
import { simulateDeliveries } from '../../local/github/deliveries.ts';
import { PROJECT, toolPath } from '../../scripts/tools.ts';
import type { LineageEvent } from '../../src/lineage/index.ts';
import { DemoFolder } from '../support/demo-run.ts';
import { lineageErrors, nameOf, upstreamOf } from '../support/openlineage.ts';
import { somePolls, writePolls } from '../support/polls-folder.ts';

const run = promisify(execFile);
const TABLES = ['silver.earthquakes', 'gold.daily_seismicity', 'gold.revision_latency'];
const python = (script: string) => path.join(PROJECT, 'test/python', script);

let demos: DemoFolder;
let polls: number;
let first: Report;
/** What PyIceberg read, and what the command line said, while the first run's servers were still up. */
let read: string;
const said: Record<string, string> = {};

beforeAll(async () => {
  demos = new DemoFolder(await mkdtemp(path.join(tmpdir(), 'cupel-system-')));
  const chosen = await somePolls();
  console.log(`the demo runs on ${chosen.polls.length} ${chosen.kind}`);
  polls = chosen.polls.length;
  await writePolls(demos.inside('polls'), chosen.polls);
  await run('python3', [python('expected.py'), demos.inside('polls'), demos.inside('expected')]);
  first = await demos.demo('first', '--no-stream', '--keep');
  try {
    const { stdout } = await run(
      toolPath('pyicebergPython'),
      [python('read_silver.py'), first.urls.catalog, first.urls.storage],
      { maxBuffer: 1 << 28 },
    );
    read = stdout;
    said.digest = await demos.cupel('silver', 'digest', 'earthquakes', '--json');
    said.export = await demos.cupel('silver', 'export', 'earthquakes');
    said.ledger = await demos.cupel('ledger', 'show', 'earthquakes', '--kind', 'partition', '--json');
    await copyFile(demos.inside('state/lineage.ndjson'), demos.inside('first.lineage.ndjson'));
    said.run = await demos.cupel('run', 'earthquakes', '--from', '2000-01-01', '--to', '2030-01-01', '--json');
  } finally {
    await demos.down();
  }
}, 300_000);

afterAll(() => rm(demos.directory, { recursive: true, force: true, maxRetries: 20 }));

test.each(TABLES)('%s is what plain Python computes from the raw polls, byte for byte', async (table) => {
  const [found, expected] = await Promise.all(
    ['first', 'expected'].map((folder) => readFile(demos.inside(`${folder}/${table}.ndjson`), 'utf8')),
  );
  expect(found).toBe(expected);
});

test('PyIceberg reads the same Silver', async () => {
  expect(read).toBe(await readFile(demos.inside('first/silver.earthquakes.ndjson'), 'utf8'));
});

test('the report tells what is there, and the digest is that of the export', async () => {
  const bytes = await readFile(demos.inside('first/silver.earthquakes.ndjson'));
  const silver = first.silver.earthquakes;
  expect(silver?.digest).toBe(createHash('sha256').update(bytes).digest('hex'));
  expect(silver?.rows).toBe(bytes.toString('utf8').trimEnd().split('\n').length);
  expect(first.bronze).toEqual({ objects: polls, alreadyLanded: 0 });
  expect(first.quarantine).toEqual({ records: 0 });
  const others = ['files', 'apps', 'webhooks'];
  expect(Object.keys(first.stages)).toEqual(['startup', 'ingest', 'validate', 'process', 'materialize', ...others]);
});

const linesOf = async (table: string, folder = 'first') =>
  (await readFile(demos.inside(`${folder}/${table}.ndjson`), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** What the demo's apps and GitHub sent, for plain Python. */
async function computeOthers(): Promise<void> {
  const quakes = (await linesOf('silver.earthquakes')).slice(0, 30);
  const felt = quakes.map((quake) => ({ ...quake, time: Date.parse(String(quake.event_time)) }) as unknown);
  const reports = feltReports(felt as FeltEarthquake[], 120);
  const deliveries = simulateDeliveries(60).map(({ body, ...of }) => ({ ...of, body: body.toString() }));
  await writeFile(demos.inside('sent.json'), JSON.stringify({ reports, deliveries }));
  const files = [demos.inside('sent.json'), path.join(PROJECT, 'local/demo/networks.csv')];
  await run('python3', [python('expected_others.py'), ...files, demos.inside('first'), demos.inside('expected')]);
}

describe('the other ways in: each table is what plain Python computes from what was sent', () => {
  beforeAll(computeOthers);

  test.each(['silver.networks', 'gold.networks', 'gold.felt_by_event', 'gold.repo_activity', 'gold.repo_events'])(
    '%s, byte for byte',
    async (table) => {
      const [found, expected] = await Promise.all(
        ['first', 'expected'].map((folder) => readFile(demos.inside(`${folder}/${table}.ndjson`), 'utf8')),
      );
      expect(found).toBe(expected);
    },
  );

  const sorted = (rows: Record<string, unknown>[], key: string) =>
    rows.toSorted((a, b) => (String(a[key]) < String(b[key]) ? -1 : 1));

  test('silver.felt_reports, a log of Avro: every field of every message', async () => {
    // A log is by hour, and a run over the hour has two.
    expect(sorted(await linesOf('silver.felt_reports'), '_record_id')).toEqual(
      await linesOf('silver.felt_reports', 'expected'),
    );
  });

  test('silver.github_events, by Dataform and as a log of Parquet: what was delivered twice and out of order, once', async () => {
    const withBody = (rows: Record<string, unknown>[]) =>
      sorted(rows, 'delivery_id').map(({ payload, _record_id, ...row }) => ({
        ...row,
        body: JSON.parse(String(payload)) as unknown,
      }));
    const expected = withBody(await linesOf('silver.github_events', 'expected'));
    expect(withBody(await linesOf('silver.github_events_log'))).toEqual(expected);
    expect(withBody(await linesOf('silver.github_events'))).toEqual(expected);
    const payloads = async (folder: string, table: string) =>
      sorted(await linesOf(table, folder), 'delivery_id').map(({ payload }) => payload);
    expect(await payloads('first', 'silver.github_events_log')).toEqual(
      await payloads('expected', 'silver.github_events'),
    );
  });
});

test('the command line tells the same, and a run over everything finds it done', async () => {
  const { rows, digest } = first.silver.earthquakes ?? {};
  expect(JSON.parse(said.digest ?? '')).toEqual({ rows, digest });
  expect(said.export).toBe(await readFile(demos.inside('first/silver.earthquakes.ndjson'), 'utf8'));
  const partitions = JSON.parse(said.ledger ?? '') as { state: string }[];
  expect(new Set(partitions.map(({ state }) => state))).toEqual(new Set(['done']));
  const { plan, gold } = JSON.parse(said.run ?? '') as PipelineResult;
  expect(plan).toMatchObject({
    objects: polls,
    partitions: partitions.length,
    donePartitions: partitions.length,
    toProcess: 0,
  });
  expect(gold.state).toBe('unchanged');
});

test('lineage is told by the specification, and every table of Gold comes from Bronze, through Silver where it stands on that', async () => {
  const text = await readFile(demos.inside('first.lineage.ndjson'), 'utf8');
  const events = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as LineageEvent);
  expect(events.flatMap(lineageErrors)).toEqual([]);
  expect(first.lineage.events).toBeGreaterThan(100);
  const begun = new Set(events.filter(({ eventType }) => eventType === 'START').map(({ run }) => run?.runId));
  const ended = events.filter(({ eventType }) => eventType === 'COMPLETE');
  expect(ended.filter(({ run }) => !begun.has(run?.runId))).toEqual([]);
  const gold = new Set(events.flatMap(({ outputs }) => outputs.map(nameOf)).filter((name) => name.includes('.gold.')));
  expect([...gold].sort()).toEqual(
    ['daily_seismicity', 'felt_by_event', 'networks', 'repo_activity', 'repo_events', 'revision_latency'].map(
      (name) => `bigquery cupel-local.gold.${name}`,
    ),
  );
  const [quakes, github] = ['gs://cupel-bronze earthquakes/', 'bigquery cupel-local.raw.github_events'];
  for (const table of gold) {
    const upstream = [...upstreamOf(events, table)];
    const from = (bronze: string) => upstream.some((name) => name.startsWith(bronze));
    const ofGithub = table.includes('.repo_');
    expect([from(quakes), from(github)], `${table} from ${upstream.join(', ')}`).toEqual([!ofGithub, ofGithub]);
    expect(upstream.includes('gs://cupel-silver silver/earthquakes')).toBe(!ofGithub);
  }
});

test('a second run polls everything again, lands nothing and commits nothing', async () => {
  const second = await demos.demo('second', '--no-stream');
  expect(second.bronze).toEqual({ objects: polls, alreadyLanded: polls });
  // A log has one object for each hour, and messages that are sent again in the next hour are there too.
  for (const table of ['earthquakes', 'networks']) expect(second.silver[table]).toEqual(first.silver[table]);
  for (const table of TABLES) {
    expect(await readFile(demos.inside(`second/${table}.ndjson`), 'utf8')).toBe(
      await readFile(demos.inside(`first/${table}.ndjson`), 'utf8'),
    );
  }
}, 300_000);
