import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Report } from '../../local/demo/report.ts';
import type { PipelineResult } from '../../src/workflows/pipeline.ts';
import { PROJECT, toolPath } from '../../scripts/tools.ts';
import { DemoFolder } from '../support/demo-run.ts';
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
  first = await demos.demo('first', '--keep');
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
    said.run = await demos.cupel('run', 'earthquakes', '--from', '2000-01-01', '--to', '2030-01-01', '--json');
  } finally {
    await demos.down();
  }
}, 110_000);

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
  expect(Object.keys(first.stages)).toEqual(['startup', 'ingest', 'validate', 'process', 'materialize']);
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

test('a second run polls everything again, lands nothing and commits nothing', async () => {
  const second = await demos.demo('second');
  expect(second.bronze).toEqual({ objects: polls, alreadyLanded: polls });
  expect(second.silver).toEqual(first.silver);
  for (const table of TABLES) {
    expect(await readFile(demos.inside(`second/${table}.ndjson`), 'utf8')).toBe(
      await readFile(demos.inside(`first/${table}.ndjson`), 'utf8'),
    );
  }
}, 110_000);
