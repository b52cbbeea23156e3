import path from 'node:path';
import { findPolls } from '../usgs/polls.ts';
import type { Poll } from '../usgs/polls.ts';
import { simulatePolls } from '../usgs/simulator/simulate.ts';
import type { DemoOptions } from './options.ts';

/** Days of the simulated feed: some seventy polls, each of which takes a third of a second. */
const SIMULATED_DAYS = 3;

/** What the demo polls. */
export interface DemoFeed {
  /** Said to the person, so that simulated polls are never taken for real ones. */
  title: string;
  /** Polls to serve; undefined: the real site is polled. */
  polls: Poll[] | undefined;
}

/** @throws Error when nothing is left to poll */
export async function demoFeed(options: DemoOptions): Promise<DemoFeed> {
  if (options.feed === 'live') return { title: 'the real USGS site, now', polls: undefined };
  const all = options.feed ? await findPolls(path.resolve(options.feed)) : simulatePolls({ days: SIMULATED_DAYS });
  const polls = all.filter(
    ({ generated }) => generated >= (options.from ?? -Infinity) && generated < (options.to ?? Infinity),
  );
  if (!polls.length)
    throw new Error(
      `expected polls in ${options.feed ?? 'the simulation'} from --from to --to, found none of ${all.length}`,
    );
  const kind = options.feed
    ? `recorded polls of ${options.feed}`
    : 'SIMULATED polls (our own simulator, no real earthquakes)';
  return { title: `${polls.length} ${kind}`, polls };
}
