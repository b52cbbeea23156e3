import { isPolled, isPulled } from '../../contracts/index.ts';
import type { CompiledContract, PollFeed } from '../../contracts/index.ts';
import { slotMs } from '../bronze/index.ts';
import type { MissingRun } from '../bronze/index.ts';
import type { PullLog, PulledWindow } from './pull-log.ts';
import { spanOf } from './windows.ts';
import type { Span } from './windows.ts';

/** An answer of a polled feed that is not there, or came too late. */
export interface Hole {
  feed: string;
  /** Partition of its nominal hour. */
  partition: string;
  /** Of the records that it would have shown. */
  span: Span;
  /** Milliseconds of the slot that it was expected in; 0 where its very time is known. */
  width: number;
  /** When it would have been made at the latest, milliseconds since 1970: an answer of that time or later shows as much. */
  at: number;
}

/** Names the pulled feed that has made a hole good; undefined: it is open. */
type RepairJudge = (hole: Hole) => string | undefined;

const partitionAt = (feed: string, time: number): string => `${feed}/${new Date(time).toISOString().slice(0, 13)}`;

/** The hole that a gap of the ledger tells of, `<feed>/<nominal time>`; undefined where the contract has no such feed now. */
export function gapHole(contract: CompiledContract, subject: string): Hole | undefined {
  const cut = subject.lastIndexOf('/');
  const feed = contract.feeds.filter(isPolled).find(({ name }) => name === subject.slice(0, cut));
  const at = Date.parse(subject.slice(cut + 1));
  if (!feed || Number.isNaN(at)) return undefined;
  const span = { from: at - feed.coverageSeconds * 1000, to: at };
  return { feed: feed.name, partition: partitionAt(feed.name, at), span, width: 0, at };
}

/** The hole of a slot without an object: its answer might have been made at any time of the slot. */
function slotHole({ name, coverageSeconds }: PollFeed, slot: number, width: number): Hole {
  const at = slot + width;
  const span = { from: slot - coverageSeconds * 1000, to: at };
  return { feed: name, partition: partitionAt(name, slot), span, width, at };
}

/** The holes of a run of missing slots, one for each. */
export function holesOf(contract: CompiledContract, run: MissingRun): Hole[] {
  const feed = contract.feeds.filter(isPolled).find(({ name }) => name === run.feed);
  const width = feed && slotMs(feed);
  if (!feed || !width) return [];
  const first = Date.parse(run.from);
  return Array.from({ length: run.slots }, (_, slot) => slotHole(feed, first + slot * width, width));
}

/** Whether windows together hold a whole span. */
function cover(windows: PulledWindow[], span: Span): boolean {
  let reached = span.from;
  for (const { from, to } of windows.map(spanOf).sort((a, b) => a.from - b.from)) {
    if (from > reached) break;
    reached = Math.max(reached, to);
  }
  return reached >= span.to;
}

/**
 * Reads what was pulled around some holes and says which of them are made good: every window of the hole's records was asked
 * again at the hole's time or later.
 */
async function repairJudge(log: PullLog, contract: CompiledContract, holes: Hole[]): Promise<RepairJudge> {
  const pulled = await Promise.all(
    contract.feeds.filter(isPulled).map(async ({ name, repairs, windowSeconds }) => {
      const own = holes.filter(({ feed }) => repairs.includes(feed)).map(({ span }) => span);
      if (!own.length) return { name, repairs, windows: [] };
      const from = own.reduce((least, span) => Math.min(least, span.from), Infinity) - windowSeconds * 1000;
      const to = own.reduce((most, span) => Math.max(most, span.to), -Infinity);
      return { name, repairs, windows: await log.listWindows(contract.source, name, { from, to }) };
    }),
  );
  return ({ feed, span, at }) =>
    pulled.find(({ repairs, windows }) => {
      const after = windows.filter(({ carrierOrder }) => Number(BigInt(carrierOrder) / 1000n) >= at);
      return repairs.includes(feed) && cover(after, span);
    })?.name;
}

/** Cuts a run of missing slots into the runs that are still missing. */
function openRuns(run: MissingRun, holes: Hole[], isOpen: (hole: Hole) => boolean): MissingRun[] {
  if (!holes.length) return [run];
  const width = (Date.parse(run.to) - Date.parse(run.from)) / holes.length;
  const at = (slot: number): string => new Date(Date.parse(run.from) + slot * width).toISOString();
  const runs: MissingRun[] = [];
  for (const [slot, hole] of holes.entries()) {
    if (!isOpen(hole)) continue;
    const last = runs.at(-1);
    if (last?.to === at(slot)) Object.assign(last, { to: at(slot + 1), slots: last.slots + 1 });
    else runs.push({ feed: run.feed, from: at(slot), to: at(slot + 1), slots: 1 });
  }
  return runs;
}

/** What pulls have made good. */
export interface Repairs {
  /** Runs of slots that are still missing. */
  missing: MissingRun[];
  /** Slots that are not, and the pulled feed that brought their records. */
  slots: { hole: Hole; by: string }[];
  /** Gaps that are made good. */
  gaps: Hole[];
}

/** Tells what pulls have made good of missing slots and gaps. Where a gap explains a slot, the gap's own time counts. */
export async function judgeRepairs(
  log: PullLog,
  contract: CompiledContract,
  missing: MissingRun[],
  gaps: Hole[],
): Promise<Repairs> {
  const runs = missing.map((run) => ({ run, holes: holesOf(contract, run) }));
  const judge = await repairJudge(log, contract, [...gaps, ...runs.flatMap(({ holes }) => holes)]);
  const madeGood = gaps.filter((gap) => judge(gap));
  const repairedBy = (slot: Hole): string | undefined => {
    const explained = madeGood.find(({ feed, at }) => feed === slot.feed && at >= slot.at - slot.width && at < slot.at);
    return judge(slot) ?? (explained && judge(explained));
  };
  const slots = runs.flatMap(({ holes }) =>
    holes.flatMap((hole) => {
      const by = repairedBy(hole);
      return by ? [{ hole, by }] : [];
    }),
  );
  const good = new Set(slots.map(({ hole }) => hole));
  return {
    missing: runs.flatMap(({ run, holes }) => openRuns(run, holes, (hole) => !good.has(hole))),
    slots,
    gaps: madeGood,
  };
}
