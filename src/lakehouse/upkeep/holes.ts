import { isPolled, unpackObject } from '../../contracts/index.ts';
import type { CompiledContract, PollFeed } from '../../contracts/index.ts';
import { CupelError } from '../../errors.ts';
import { missingRuns, partitionsOf, slotMs } from '../bronze/index.ts';
import type { HourRange, MissingRun } from '../bronze/index.ts';
import type { ChunkObject } from '../deltas/index.ts';
import { ledgerEvent } from '../ledger/index.ts';
import type { LedgerEvent, LedgerState } from '../ledger/index.ts';
import type { ObjectStore } from '../object-store.ts';
import { gapHole, judgeRepairs, PullLog } from '../pull/index.ts';
import type { Hole } from '../pull/index.ts';

/** What there is to know of the holes in a range. */
export interface Holes {
  /** Runs of slots without an object, as Bronze lists it now; without those that a pull made good. */
  missing: MissingRun[];
  /** Gaps that are still true, `<feed>/<nominal time>`. */
  gaps: string[];
  /** Of these, gaps whose time another answer reaches over, be it a poll's or a pull's. */
  coveredGaps: number;
  /** Events for the ledger: missing runs as they are now, and `found` for what is true no more. */
  events: LedgerEvent[];
}

/** Where objects are read. */
export interface HoleResources {
  store: ObjectStore;
  bronzeBucket: string;
  opsBucket: string;
  /** Called after each object, to show that work goes on. */
  progress(objects: number): void;
}

const intervalMs = (feed: PollFeed): number => (feed.intervalSeconds ?? 0) * 1000;

/** Whether a missing run of the ledger lies so far inside the range that the listing would show it. */
function isJudged(contract: CompiledContract, { from, to }: HourRange, { detail }: LedgerState): boolean {
  const run = detail as Partial<MissingRun>;
  const feed = contract.feeds.find(({ name }) => name === run.feed);
  const width = feed && slotMs(feed);
  if (!run.from || !run.to || !width) return false;
  return Date.parse(run.from) - width >= from.getTime() && Date.parse(run.to) + width <= to.getTime();
}

/** Reads the carrier order of an object once, in milliseconds; undefined where it cannot be read. */
function carrierReader(
  { store, bronzeBucket, progress }: HoleResources,
  contract: CompiledContract,
): (name: string) => Promise<number | undefined> {
  const read = new Map<string, number | undefined>();
  return async (name) => {
    if (read.has(name)) return read.get(name);
    const bytes = await store.read(`gs://${bronzeBucket}/${name}`);
    let order: number | undefined;
    try {
      const { carrierOrder } = await unpackObject(contract, bytes, name);
      if (carrierOrder !== undefined) order = Number(carrierOrder / 1000n);
    } catch (error) {
      if (!(error instanceof CupelError)) throw error;
    }
    read.set(name, order);
    progress(read.size);
    return order;
  };
}

type Judgement = 'open' | 'covered' | 'found';

/**
 * A gap is true no more when its hour holds an answer that is not too late for it. Until then it stays, also where an answer
 * of a wider feed reaches over its time: the rows are there then, and the feed's own sighting of them is not.
 */
async function judgeGap(
  contract: CompiledContract,
  objects: ChunkObject[],
  carrierOf: (name: string) => Promise<number | undefined>,
  { feed: name, partition, at: nominal }: Hole,
): Promise<Judgement> {
  const feed = contract.feeds.filter(isPolled).find((candidate) => candidate.name === name);
  if (!feed) return 'open';
  const width = intervalMs(feed);
  for (const object of objects.filter((candidate) => candidate.partition === partition)) {
    const carried = await carrierOf(object.name);
    if (carried === undefined) continue;
    if (carried > nominal - width && carried - nominal <= feed.coverageSeconds * 1000 - width) return 'found';
  }
  for (const wide of contract.feeds.filter(isPolled)) {
    // Folders are named by the hour, so an answer may be a whole hour younger than its folder's beginning.
    const reach = wide.coverageSeconds * 1000 - width;
    const near = objects.filter(({ partition: of }) => {
      const [carrier, hour] = of.split('/');
      const at = Date.parse(`${hour ?? ''}:00:00Z`);
      return carrier === wide.name && at > nominal - wide.coverageSeconds * 1000 && at <= nominal + reach;
    });
    for (const object of near) {
      const carried = await carrierOf(object.name);
      if (carried !== undefined && carried >= nominal && carried - nominal <= reach) return 'covered';
    }
  }
  return 'open';
}

/** Gaps of the ledger whose nominal time lies in a range. */
function gapsOf(contract: CompiledContract, { from, to }: HourRange, known: LedgerState[]) {
  return known.flatMap(({ kind, state, subject }) => {
    const hole = kind === 'gap' && state === 'gap' ? gapHole(contract, subject) : undefined;
    return hole && hole.at >= from.getTime() && hole.at < to.getTime() ? [{ hole, subject }] : [];
  });
}

/**
 * Compares the holes that the ledger tells of with Bronze as it is now, and with what was pulled.
 *
 * @param known newest `missing` and `gap` states of the source
 * @param run names this reconciliation, so that a hole may be found, lost and found again
 */
export async function judgeHoles(
  resources: HoleResources,
  contract: CompiledContract,
  range: HourRange,
  objects: ChunkObject[],
  known: LedgerState[],
  run: string,
): Promise<Holes> {
  const found = (kind: 'missing' | 'gap', subject: string): LedgerEvent =>
    ledgerEvent(kind, contract.source, subject, 'found', '', {}, new Date(), run);
  const told = gapsOf(contract, range, known);
  const log = new PullLog(resources.store, resources.opsBucket);
  const runs = missingRuns(contract, partitionsOf(contract, objects));
  const holes = told.map(({ hole }) => hole);
  const { missing, gaps: pulled } = await judgeRepairs(log, contract, runs, holes);
  const current = missing.map((of) =>
    ledgerEvent('missing', contract.source, `${of.feed}/${of.from}`, 'missing', '', of),
  );
  const subjects = new Set(current.map(({ subject }) => subject));
  const past = known.filter(({ kind, state }) => kind === 'missing' && state === 'missing');
  const events = [
    ...current,
    ...past
      .filter((state) => isJudged(contract, range, state) && !subjects.has(state.subject))
      .map(({ subject }) => found('missing', subject)),
  ];
  const gaps: string[] = [];
  let coveredGaps = 0;
  const carrierOf = carrierReader(resources, contract);
  for (const { hole, subject } of told) {
    const judged = await judgeGap(contract, objects, carrierOf, hole);
    if (judged === 'found') events.push(found('gap', subject));
    else gaps.push(subject);
    if (judged === 'covered' || (judged === 'open' && pulled.includes(hole))) coveredGaps += 1;
  }
  return { missing, gaps, coveredGaps, events };
}
