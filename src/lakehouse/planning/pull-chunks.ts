import { isPulled } from '../../contracts/index.ts';
import type { CompiledContract, PullFeed } from '../../contracts/index.ts';
import { cupelError } from '../../errors.ts';
import { wholeHours } from '../bronze/index.ts';
import type { HourRange } from '../bronze/index.ts';
import type { LedgerState } from '../ledger/index.ts';
import { windowPartition, windowsOf } from '../pull/index.ts';
import type { Hole, PullWindow, Span } from '../pull/index.ts';
import type { PlannedPartition } from './partition-states.ts';
import type { PlanLine } from './plan-store.ts';
import { takes } from './selection.ts';
import type { Order, Reprocess } from './selection.ts';

/** Windows of one job: minutes of requests at the pace that an origin is asked. */
const WINDOWS_PER_CHUNK = 16;

/** What is known of a range that is to be pulled. */
export interface PullKnowledge {
  /** Partitions that have objects. */
  states: ReadonlyMap<string, PlannedPartition>;
  /** Newest states of the ledger by partition. */
  known: ReadonlyMap<string, LedgerState>;
  /** Gaps and missing slots that no pull has made good. */
  open: Hole[];
}

interface Request {
  range: HourRange;
  reprocess: Reprocess;
  order: Order;
}

function pulledFeeds({ source, feeds }: CompiledContract): PullFeed[] {
  const pulled = feeds.filter(isPulled);
  if (!pulled.length)
    throw cupelError('CUP_BACKFILL_INPUT', { source, expected: 'a feed of kind pull, for mode pull' });
  return pulled;
}

const textOf = (holes: string[]): string =>
  holes.length > 1 ? `${holes[0] ?? ''} and ${holes.length - 1} more` : (holes[0] ?? '');

/** A window is missing where it would make a hole good; else it is in the state of its partition. */
function stateOf(partition: string, holes: string[], { states, known }: PullKnowledge): PlannedPartition {
  const listed = states.get(partition) ?? { partition, objects: 0, bytes: 0, rows: null };
  if (holes.length) return { ...listed, state: 'missing', why: `would bring ${textOf(holes)}`, fingerprint: '' };
  const before = states.get(partition);
  if (before) return { ...before, fingerprint: '' };
  const failed = known.get(partition)?.state === 'failed';
  const why = failed ? String(known.get(partition)?.detail.code ?? 'unknown') : 'never pulled';
  return { ...listed, state: failed ? 'failed' : 'missing', why, fingerprint: '' };
}

function linesOf(feed: PullFeed, { range, reprocess }: Request, knowledge: PullKnowledge): PlanLine[] {
  const windows = new Map<string, { window: PullWindow; holes: string[] }>();
  const add = (span: Span, hole?: string): void => {
    for (const window of windowsOf(feed, span)) {
      const partition = windowPartition(window);
      const of = windows.get(partition) ?? { window, holes: [] };
      if (hole) of.holes.push(hole);
      windows.set(partition, of);
    }
  };
  for (const { feed: name, partition, span } of knowledge.open) if (feed.repairs.includes(name)) add(span, partition);
  const { from, to } = wholeHours(range);
  for (const window of windowsOf(feed, { from: from.getTime(), to: to.getTime() })) {
    const partition = windowPartition(window);
    const isKnown = knowledge.states.has(partition) || knowledge.known.get(partition)?.state === 'failed';
    if (reprocess === 'all' || isKnown) add({ from: Date.parse(window.from), to: Date.parse(window.to) });
  }
  return [...windows].flatMap(([partition, { window, holes }]) => {
    const state = stateOf(partition, holes, knowledge);
    return takes(reprocess, state.state) ? [{ ...state, chunk: 0, members: [], window }] : [];
  });
}

/**
 * Windows to pull, cut into chunks: those that hold what a gap or a missing slot lost, also where they begin before the range,
 * and those of the range that were pulled and are not done; with `all` every window of the range.
 *
 * @throws CupelError CUP_BACKFILL_INPUT where the source has no pulled feed
 */
export function pullChunks(contract: CompiledContract, request: Request, knowledge: PullKnowledge): PlanLine[][] {
  const lines = pulledFeeds(contract).flatMap((feed) => linesOf(feed, request, knowledge));
  const sorted = lines.sort((a, b) => ((a.window?.from ?? '') < (b.window?.from ?? '') ? -1 : 1));
  if (request.order === 'newest') sorted.reverse();
  return Array.from({ length: Math.ceil(sorted.length / WINDOWS_PER_CHUNK) }, (_, chunk) =>
    sorted.slice(chunk * WINDOWS_PER_CHUNK, (chunk + 1) * WINDOWS_PER_CHUNK).map((line) => ({ ...line, chunk })),
  );
}
