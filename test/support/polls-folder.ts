import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { findPolls } from '../../local/usgs/polls.ts';
import type { Poll } from '../../local/usgs/polls.ts';
import { simulatePolls } from '../../local/usgs/simulator/simulate.ts';
import { hasRealPolls, REAL_DATA } from './real-polls.ts';

const zip = promisify(gzip);

/** Writes polls as a folder that the demo takes with --feed. */
export async function writePolls(directory: string, polls: Poll[]): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const poll of polls)
    await writeFile(
      path.join(directory, `${poll.feed}_${poll.generated}.geojson.gz`),
      await zip(await poll.read(), { level: 1 }),
    );
}

/**
 * Polls for a run of a minute: recorded ones where they are, with the old full schemas and the day on which the schema broke;
 * else simulated ones.
 */
export async function somePolls(): Promise<{ polls: Poll[]; kind: string }> {
  if (!hasRealPolls) return { polls: simulatePolls({ days: 3 }), kind: 'simulated polls: there are no recorded ones' };
  const all = await findPolls(path.join(REAL_DATA, 'usgs'));
  const [first] = all.filter((poll) => poll.feed === 'all_hour');
  const until = (first?.generated ?? 0) + 36 * 3_600_000;
  return { polls: all.filter((poll) => poll.generated < until), kind: 'recorded polls' };
}
