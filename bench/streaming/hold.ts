import type { Trial } from './contender.ts';

/** Share of the asked rate that the publisher must reach. */
const REACHED = 0.98;

/** What the latency may grow: a hundredth of the time, and in short trials what one pause for upkeep makes of it. */
const GROWTH = { share: 0.01, leastSeconds: 2 };

/** Whether a rate was held: it was reached, all was seen, and the latency did not grow from the first to the last message. */
export function isHeld({ load, perSecond, latencies }: Pick<Trial, 'load' | 'perSecond' | 'latencies'>): boolean {
  if (!latencies) return false;
  const grown = latencies.growth * load.seconds;
  const mayGrow = Math.max(GROWTH.leastSeconds, GROWTH.share * load.seconds);
  return perSecond >= REACHED * load.perSecond && latencies.unseen === 0 && grown <= mayGrow;
}

/** Bounds of a search, in messages per second. */
export interface Search {
  from: number;
  /** Rates that lie closer together than this ratio count as one. */
  precision: number;
}

/** Rates are round numbers: two digits that count. */
function round(rate: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(rate)) - 1);
  return Math.max(1, Math.round(rate / unit) * unit);
}

/**
 * The highest rate that is held: doubled until one is not (halved until one is), then between the two.
 *
 * @param holds tries a rate
 * @returns 0 where not even one message a second is held
 */
export async function highestHeld(
  { from, precision }: Search,
  holds: (rate: number) => Promise<boolean>,
): Promise<number> {
  let [held, missed] = [0, Infinity];
  for (let rate = round(from); ;) {
    if (await holds(rate)) held = rate;
    else missed = rate;
    if (held && missed / held <= precision) return held;
    const next = round(!held ? missed / 2 : missed === Infinity ? held * 2 : Math.sqrt(held * missed));
    if (next === held || next >= missed) return held;
    rate = next;
  }
}
