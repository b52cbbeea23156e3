import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Report } from '../../local/demo/report.ts';
import { launchCloud } from '../../local/launch.ts';
import { runs } from '../../local/process-identity.ts';
import { notedServers } from '../../local/servers-file.ts';
import { JOB_PREFIX } from '../../local/supervise.ts';
import { PROJECT, toolPath } from '../../scripts/tools.ts';
import type { BackfillStatus } from '../../src/workflows/backfill/messages.ts';
import { DemoFolder } from '../support/demo-run.ts';
import { somePolls, writePolls } from '../support/polls-folder.ts';

const run = promisify(execFile);
const SILVER = 'silver.earthquakes.ndjson';
const ID = 'backfill/earthquakes/2000-01-01T00:00:00Z/2030-01-01T00:00:00Z';

let demos: DemoFolder;
let first: Report;

beforeAll(async () => {
  demos = new DemoFolder(await mkdtemp(path.join(tmpdir(), 'cupel-backfill-')));
  await writePolls(demos.inside('polls'), (await somePolls()).polls);
  first = await demos.demo('first', '--no-stream', '--keep');
}, 300_000);
afterAll(async () => {
  await demos.down();
  await rm(demos.directory, { recursive: true, force: true, maxRetries: 20 });
}, 60_000);

/** Rules of a higher version make every row anew, so that a row which no job has made again is seen. */
async function raiseRulesVersion(): Promise<void> {
  const file = demos.inside('state/contracts/earthquakes.yaml');
  const text = await readFile(file, 'utf8');
  const raised = text.replace(/rulesVersion, value: 1/, 'rulesVersion, value: 2');
  expect(raised).not.toBe(text);
  await writeFile(file, raised);
}

interface Planned {
  totals: { byState: Record<string, { partitions: number }>; toProcess: { partitions: number; bytes: number } };
  partitions: { state: string; why: string }[];
}

/** Starts it as an operator may, by Temporal's own command line. */
async function start(chunkBytes: number): Promise<void> {
  const { env } = await demos.cloud();
  const input = { source: 'earthquakes', from: '2000-01-01', to: '2030-01-01', chunkBytes, maxConcurrency: 3 };
  const what = ['--type', 'backfill', '--task-queue', 'cupel', '--workflow-id', ID, '--input', JSON.stringify(input)];
  const where = ['--address', env.TEMPORAL_ADDRESS ?? '', '--namespace', env.TEMPORAL_NAMESPACE ?? 'default'];
  await run(toolPath('temporal'), ['workflow', 'start', ...what, ...where]);
}

/** Where it stands; undefined while nobody can tell. */
const status = async (): Promise<BackfillStatus | undefined> =>
  demos.cupel('backfill', 'show', ID, '--json').then(
    (text) => (JSON.parse(text) as { status: BackfillStatus | null }).status ?? undefined,
    () => undefined,
  );

/** Waits until so many chunks have ended, or all. */
async function chunksEnded(count: number): Promise<void> {
  await expect
    .poll(async () => (await status())?.chunks.remaining ?? Infinity, { timeout: 120_000, interval: 200 })
    .toBeLessThanOrEqual(count);
}

function kill(...names: string[]): void {
  const servers = notedServers(demos.inside('state'));
  for (const name of names) {
    try {
      process.kill(servers[name]?.pid ?? NaN, 'SIGKILL');
    } catch (error) {
      if (!name.startsWith(JOB_PREFIX)) throw error; // a job may have ended meanwhile
    }
  }
}

/** All processes at once, then another start on what the disk holds. */
async function killMachine(): Promise<void> {
  const killed = await demos.cloud();
  process.kill(killed.pid, 'SIGKILL');
  kill(...Object.keys(notedServers(demos.inside('state'))));
  await expect.poll(() => runs(killed), { timeout: 10_000, interval: 20 }).toBe(false);
  const cloud = await launchCloud(demos.inside('state'), ['--contracts', demos.inside('state/contracts')]);
  cloud.keep();
}

test('a backfill whose processes are killed one after the other, and at last all at once, ends with the same table', async () => {
  await raiseRulesVersion();
  const plan = JSON.parse(
    await demos.cupel('backfill', 'plan', 'earthquakes', '--from', '2000-01-01', '--to', '2030-01-01', '--json'),
  ) as Planned;
  const { byState, toProcess } = plan.totals;
  expect([byState.stale?.partitions, byState.done?.partitions]).toEqual([toProcess.partitions, 0]);
  for (const { state, why } of plan.partitions) if (state === 'stale') expect(why).toMatch(/rules|contract/);
  await start(Math.ceil(toProcess.bytes / 12));
  await expect.poll(async () => (await status())?.chunks.running ?? 0, { timeout: 60_000 }).toBeGreaterThan(0);
  const { chunks } = (await status()) ?? { chunks: { total: 0 } };
  kill('worker');
  await chunksEnded(Math.floor((chunks.total * 3) / 4));
  kill('Temporal', 'Cloud Storage');
  await chunksEnded(Math.floor(chunks.total / 2));
  await killMachine();
  const over = async (): Promise<string | undefined> => (await status())?.phase;
  await expect.poll(over, { timeout: 240_000, interval: 500 }).toBe('done');
  const { partitions, failures } = (await status()) as BackfillStatus;
  expect(failures).toEqual([]);
  expect(partitions).toMatchObject({ total: toProcess.partitions, done: toProcess.partitions, failed: 0 });
}, 600_000);

test('every row is there as before, and made by the new rules', async () => {
  expect(await demos.cupel('silver', 'export', 'earthquakes')).toBe(
    await readFile(demos.inside(`first/${SILVER}`), 'utf8'),
  );
  const { urls } = await demos.cloud();
  const script = path.join(PROJECT, 'test/python/read_silver.py');
  const { stdout } = await run(toolPath('pyicebergPython'), [script, urls.catalog, urls.storage, '--rules']);
  // Tombstones are left out of the export and of this feed alike.
  expect(JSON.parse(stdout)).toEqual({ 2: first.silver.earthquakes?.rows });
}, 60_000);

test('a second look finds everything done', async () => {
  const text = await demos.cupel(
    'backfill',
    'plan',
    'earthquakes',
    '--from',
    '2000-01-01',
    '--to',
    '2030-01-01',
    '--json',
  );
  const { totals } = JSON.parse(text) as Planned;
  expect(totals.toProcess.partitions).toBe(0);
}, 60_000);
