import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Poll } from '../../local/usgs/polls.ts';
import { startUsgs } from '../../local/usgs/server.ts';
import type { UsgsServer } from '../../local/usgs/server.ts';
import { simulatePolls } from '../../local/usgs/simulator/simulate.ts';
import { DemoFolder } from '../support/demo-run.ts';
import { writePolls } from '../support/polls-folder.ts';

const HOUR = 3_600_000;
const polls = simulatePolls({ days: 2 });
const RANGE = ['--from', '2025-03-01', '--to', '2025-03-04'];

let demos: DemoFolder;
let usgs: UsgsServer | undefined;

/** From 07 to 10 of the second day no feed answers, and no wide one does after that, so that nobody shows what was lost. */
const isLost = ({ feed, generated }: Poll): boolean => {
  const hours = (generated - Date.UTC(2025, 2, 2)) / HOUR;
  return hours >= 7 && (hours < 10 || feed !== 'all_hour');
};

beforeAll(async () => {
  demos = new DemoFolder(await mkdtemp(path.join(tmpdir(), 'cupel-pull-')));
  await writePolls(
    demos.inside('polls'),
    polls.filter((poll) => !isLost(poll)),
  );
  await demos.demo('first', '--no-stream', '--keep');
  // The demo's own site ended with it; this one stands where the cloud looks for it, and remembers what the polls missed.
  const { env } = await demos.cloud();
  const port = Number(/:(\d+)$/.exec(env.CUPEL_HTTP_ENDPOINTS ?? '')?.[1]);
  usgs = await startUsgs({ polls, port });
  for (const feed of usgs.feeds) usgs.setClock(feed, Number.MAX_SAFE_INTEGER);
}, 300_000);
afterAll(async () => {
  await usgs?.stop();
  await demos.down();
  await rm(demos.directory, { recursive: true, force: true, maxRetries: 20 });
}, 60_000);

interface Planned {
  totals: { missingSlots: number; toProcess: { partitions: number } };
  partitions: { partition: string; state: string; why: string }[];
}

const plan = async (): Promise<Planned> =>
  JSON.parse(
    await demos.cupel('backfill', 'plan', 'earthquakes', ...RANGE, '--mode', 'pull', '--all', '--json'),
  ) as Planned;

/** Version by event of what Silver holds. */
async function versions(): Promise<Map<string, string>> {
  const lines = (await demos.cupel('silver', 'export', 'earthquakes')).split('\n').filter(Boolean);
  const rows = lines.map((line) => JSON.parse(line) as { event_id: string; updated_at: string });
  return new Map(rows.map(({ event_id: id, updated_at: at }) => [id, at]));
}

/** Version by event of what the lost answers showed. */
async function lostVersions(): Promise<Map<string, string>> {
  const shown = new Map<string, string>();
  for (const poll of polls.filter((of) => isLost(of) && of.feed === 'all_hour')) {
    const { features } = JSON.parse((await poll.read()).toString('utf8')) as {
      features: { id?: string; properties: { updated: number; url: string } }[];
    };
    for (const { id, properties } of features)
      shown.set(
        id ?? properties.url.split('/').at(-1) ?? '',
        new Date(properties.updated).toISOString().replace('Z', '000Z'),
      );
  }
  return shown;
}

test('what three hours without an answer lost is planned, pulled by the pipeline, and known as made good', async () => {
  const shown = await lostVersions();
  const seen = await versions();
  expect([...shown.keys()].filter((id) => !seen.has(id)).length).toBeGreaterThan(3);
  const before = await plan();
  const lost = before.partitions.find(({ partition }) => partition === 'all_hour/2025-03-02T07');
  expect(lost).toMatchObject({ state: 'missing', why: expect.stringMatching(/no object: \d slots/) as string });
  expect(before.totals.toProcess.partitions).toBeGreaterThan(0);
  const started = await demos.cupel(
    'backfill',
    'start',
    'earthquakes',
    ...RANGE,
    '--mode',
    'pull',
    '--follow',
    '--json',
  );
  expect(JSON.parse(started)).toMatchObject({ status: { phase: 'done', partitions: { failed: 0 }, failures: [] } });
  const found = await versions();
  expect([...shown].filter(([id, version]) => (found.get(id) ?? '') < version)).toEqual([]);
  const after = await plan();
  expect(after.totals).toMatchObject({ missingSlots: 0, toProcess: { partitions: 0 } });
  expect(after.partitions.filter(({ why }) => why.endsWith('pulled by fdsn')).length).toBeGreaterThanOrEqual(3);
}, 240_000);
