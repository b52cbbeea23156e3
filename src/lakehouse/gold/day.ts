import type { CompiledContract, Feed } from '../../contracts/index.ts';
import { slotMs } from '../bronze/index.ts';
import type { LedgerState } from '../ledger/index.ts';

const DAY_MS = 24 * 3_600_000;

/** How far a source is with a day. */
export interface DayState {
  /** Slots of the schedules that end on the day, from the first one that a feed ever had. */
  expected: number;
  /** Those that are neither done nor known to have no object: `<feed>/YYYY-MM-DDTHH`, in order. */
  late: string[];
}

/** Milliseconds since 1970 of the hour or time behind the feed's name. */
function timeOf(subject: string): number {
  const text = subject.slice(subject.lastIndexOf('/') + 1);
  return Date.parse(text.length === 'YYYY-MM-DDTHH'.length ? `${text}:00:00Z` : text);
}

/** What the ledger knows of one feed, as numbers of slots. */
interface KnownSlots {
  /** Slots that Gold need not wait for. */
  closed: Set<number>;
  first: number;
}

function knownSlots(feed: Feed, width: number, states: LedgerState[]): KnownSlots {
  const closed = new Set<number>();
  let first = Infinity;
  for (const { kind, state, subject, detail } of states) {
    if (!subject.startsWith(`${feed.name}/`)) continue;
    const slot = Math.floor(timeOf(subject) / width);
    if (kind === 'partition') first = Math.min(first, slot);
    if ((kind === 'partition' && state === 'done') || (kind === 'gap' && state === 'gap')) closed.add(slot);
    if (kind !== 'missing' || state !== 'missing') continue;
    const end = Math.floor(Date.parse(String(detail.to)) / width);
    for (let at = slot; at < (Number.isNaN(end) ? slot + 1 : end); at += 1) closed.add(at);
  }
  return { closed, first };
}

/**
 * Which slots of a day are not done yet. A slot belongs to the day that it ends on, so that a weekly one is waited for when its
 * week is over; those before a feed's first partition were never polled.
 *
 * @param states newest states of kind partition, gap and missing
 * @param date `YYYY-MM-DD`, UTC
 */
export function dayState(contract: Pick<CompiledContract, 'feeds'>, states: LedgerState[], date: string): DayState {
  const start = Date.parse(`${date}T00:00:00Z`);
  const end = start + DAY_MS;
  const late: string[] = [];
  let expected = 0;
  for (const feed of contract.feeds) {
    const width = slotMs(feed);
    if (width === undefined) continue;
    const { closed, first } = knownSlots(feed, width, states);
    for (let slot = Math.floor(start / width); (slot + 1) * width <= end; slot += 1) {
      if ((slot + 1) * width <= start || slot < first) continue;
      expected += 1;
      if (!closed.has(slot)) late.push(`${feed.name}/${new Date(slot * width).toISOString().slice(0, 13)}`);
    }
  }
  return { expected, late };
}
