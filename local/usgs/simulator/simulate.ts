import { comparePolls } from '../polls.ts';
import type { Poll } from '../polls.ts';
import { makeEvent } from './events.ts';
import type { SimulatedEvent } from './events.ts';
import { ALL_DAY, ALL_HOUR, ALL_WEEK, answer } from './feed.ts';
import type { FeedShape } from './feed.ts';
import { below, chance, seeded } from './random.ts';
import type { Random } from './random.ts';

/** How much is simulated. */
export interface SimulationOptions {
  /** Default 1. Another seed makes other earthquakes. */
  seed?: number;
  /** Days of polls. Default 10: about 250 polls. */
  days?: number;
  /** Where the polls begin. Default 2025-03-01T00:00Z, so that every run makes the same ones. */
  start?: Date;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = new Date(Date.UTC(2025, 2, 1));

/** Earthquakes an hour. */
const RATE = 9;

/** Share of the time after which the upstream schema breaks. */
const BREAK_AT = 0.6;

function makeEvents(random: Random, start: number, days: number): SimulatedEvent[] {
  const times = Array.from(
    { length: Math.round((days + 1) * 24 * RATE) },
    () => start - DAY + below(random, (days + 1) * DAY),
  );
  return times.sort((a, b) => a - b).map((time, index) => makeEvent(random, index, time));
}

/** Times of polls: a little after the hour, never the same second, and some that the collector missed. */
function pollTimes(random: Random, start: number, days: number, every: number, missed: number): number[] {
  const count = Math.floor((days * DAY) / every);
  const times = Array.from(
    { length: count },
    (_, index) => start + (index + 1) * every + 60_000 + below(random, 300) * 1000,
  );
  return times.filter((_, index) => index === 0 || index === count - 1 || !chance(random, missed));
}

/**
 * Simulates the API for some days: polls in the exact shape of the feed, with every fault that recorded ones have (an older
 * version in a later poll, version ties, late events, events that no hourly poll shows, a schema break, nulls). Pure: the
 * same options give the same bytes.
 */
export function simulatePolls(options: SimulationOptions = {}): Poll[] {
  const { seed = 1, days = 10 } = options;
  const start = (options.start ?? START).getTime();
  const random = seeded(seed);
  const events = makeEvents(random, start, days);
  const breakAt = start + days * DAY * BREAK_AT;
  const polls = (shape: FeedShape, times: number[]): Poll[] =>
    times.map((generated) => ({
      feed: shape.name,
      generated,
      read: () => Promise.resolve(answer(shape, events, generated, generated >= breakAt)),
    }));
  const hourly = polls(ALL_HOUR, pollTimes(random, start, days, HOUR, 0.13));
  const daily = polls(ALL_DAY, pollTimes(random, start, days, 6 * HOUR, 0.05));
  const weekly = polls(ALL_WEEK, pollTimes(random, start, days, Math.min(7, days) * DAY, 0));
  return [...hourly, ...daily, ...weekly].sort(comparePolls);
}
