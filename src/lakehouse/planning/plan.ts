import type { CompiledContract } from '../../contracts/index.ts';
import { listBronze, missingRuns, partitionsOf, wholeHours } from '../bronze/index.ts';
import type { HourRange, MissingRun, Partition } from '../bronze/index.ts';
import type { Ledger, LedgerState } from '../ledger/index.ts';
import type { ObjectStore } from '../object-store.ts';
import { gapHole, holesOf, judgeRepairs, PullLog } from '../pull/index.ts';
import type { Hole, Repairs } from '../pull/index.ts';
import { emptySlots, gapsByPartition, partitionStates, repairedSlot } from './partition-states.ts';
import type { PartitionState, PlannedPartition } from './partition-states.ts';
import type { ChunkReference, PlanIndex, PlanLine, PlanTotals, StateTotal } from './plan-store.ts';
import { pullChunks } from './pull-chunks.ts';
import { cutChunks, selectPartitions } from './selection.ts';
import type { Order, Reprocess } from './selection.ts';

/** What a plan is made for. */
export interface PlanRequest {
  range: HourRange;
  reprocess: Reprocess;
  order: Order;
  /** Bytes of Bronze in one job, compressed as they lie there. */
  chunkBytes: number;
  /** `pull`: chunks are windows that the origin is to be asked for. Default `replay`: partitions of Bronze. */
  mode?: 'replay' | 'pull';
}

/** A plan: its text, one line per partition, and its index. */
export interface Plan {
  text: string;
  index: PlanIndex;
  lines: PlanLine[];
  missing: MissingRun[];
}

const STATES: PartitionState[] = ['missing', 'failed', 'gap', 'stale', 'done'];

const nothing = (): StateTotal => ({ partitions: 0, objects: 0, bytes: 0 });

function add(total: StateTotal, of: PlannedPartition): void {
  total.partitions += 1;
  total.objects += of.objects;
  total.bytes += of.bytes;
}

function totalsOf(lines: PlanLine[], missing: MissingRun[], chunks: number): PlanTotals {
  const byState = Object.fromEntries(STATES.map((state) => [state, nothing()])) as PlanTotals['byState'];
  const toProcess = nothing();
  for (const line of lines) {
    add(byState[line.state], line);
    if (line.chunk !== null) add(toProcess, line);
  }
  return { byState, missingSlots: missing.reduce((sum, run) => sum + run.slots, 0), toProcess, chunks };
}

/** Writes the lines, those of a chunk together, and remembers where each chunk is. */
function layOut(chunks: PlanLine[][], rest: PlanLine[]): { text: string; references: ChunkReference[] } {
  const parts: string[] = [];
  const references: ChunkReference[] = [];
  let at = 0;
  const write = (lines: PlanLine[]): void => {
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    parts.push(text);
    at += Buffer.byteLength(text);
  };
  for (const [chunk, lines] of chunks.entries()) {
    const start = at;
    write(lines);
    const bytes = lines.reduce((sum, line) => sum + line.bytes, 0);
    const unverified = lines.flatMap(({ members }) => members).filter(({ verified }) => !verified).length;
    const first = lines[0]?.partition ?? '';
    references.push({ chunk, first, partitions: lines.length, bytes, unverified, start, end: at });
  }
  write(rest);
  return { text: parts.join(''), references };
}

/** The parts of the ledger that a plan reads, once. */
async function readLedger(ledger: Pick<Ledger, 'latest'>, source: string) {
  const states = await ledger.latest(source, ['partition', 'gap', 'arrival']);
  const of = (kind: string) => states.filter((state) => state.kind === kind);
  return {
    known: new Map(of('partition').map((state) => [state.subject, state])),
    gaps: gapsByPartition(of('gap')),
    verified: new Set(
      of('arrival')
        .filter(({ state }) => state === 'verified')
        .map(({ subject }) => subject),
    ),
  };
}

/** Gaps and missing slots of the range, and what pulls have made good of them. */
async function judge(
  log: PullLog,
  contract: CompiledContract,
  range: HourRange,
  runs: MissingRun[],
  gaps: Map<string, LedgerState>,
): Promise<Repairs & { open: Hole[] }> {
  const told = [...gaps.values()].flatMap(({ subject }) => gapHole(contract, subject) ?? []);
  const { from, to } = wholeHours(range);
  const inRange = told.filter(({ at }) => at >= from.getTime() && at < to.getTime());
  const repairs = await judgeRepairs(log, contract, runs, inRange);
  for (const { partition } of repairs.gaps) gaps.delete(partition);
  const open = inRange.filter((gap) => !repairs.gaps.includes(gap));
  return { ...repairs, open: [...open, ...repairs.missing.flatMap((run) => holesOf(contract, run))] };
}

/**
 * Plans a range: every partition with its state and why, and what is to be processed, cut into chunks. Changes nothing.
 *
 * Reads Bronze's listing once per feed, the ledger once, and what was pulled around gaps and missing slots.
 *
 * @throws CupelError CUP_BACKFILL_INPUT where a source is to be pulled that has no pulled feed
 */
export async function makePlan(
  { store, ledger }: { store: ObjectStore; ledger: Pick<Ledger, 'latest'> },
  buckets: { bronze: string; ops: string },
  contract: CompiledContract,
  request: PlanRequest,
): Promise<Plan> {
  const { known, gaps, verified } = await readLedger(ledger, contract.source);
  const partitions = partitionsOf(contract, await listBronze(store, buckets.bronze, contract, request.range));
  const log = new PullLog(store, buckets.ops);
  const holes = await judge(log, contract, request.range, missingRuns(contract, partitions), gaps);
  const states = partitionStates(contract, partitions, known, gaps);
  const stateOf = new Map(states.map((state) => [state.partition, state]));
  const replayed = (): PlanLine[][] =>
    cutChunks(selectPartitions(states, partitions, request.reprocess, request.order), request.chunkBytes).map(
      (chunk, number) => chunk.map((of) => toLine(stateOf.get(of.partition), of, number, verified)),
    );
  const pulls = request.mode === 'pull';
  const chunks = pulls ? pullChunks(contract, request, { states: stateOf, known, open: holes.open }) : replayed();
  const chosen = new Set(chunks.flat().map(({ partition }) => partition));
  const empty = [
    ...emptySlots(holes.missing, gaps),
    ...holes.slots.map(({ hole, by }) => repairedSlot(hole.partition, by)),
  ];
  const rest = [...states.filter(({ partition }) => !chosen.has(partition)), ...empty].map((state) => ({
    ...state,
    chunk: null,
    members: [],
  }));
  const { text, references } = layOut(chunks, rest);
  const lines = [...chunks.flat(), ...rest];
  const index: PlanIndex = {
    version: 1,
    source: contract.source,
    contractHash: contract.hash,
    from: request.range.from.toISOString(),
    to: request.range.to.toISOString(),
    totals: totalsOf(lines, holes.missing, chunks.length),
    chunks: references,
  };
  return { text, index, lines, missing: holes.missing };
}

function toLine(
  state: PlannedPartition | undefined,
  partition: Partition,
  chunk: number,
  verified: ReadonlySet<string>,
): PlanLine {
  if (!state) throw new Error(`no state of ${partition.partition}`);
  const members = partition.objects.map(({ name, generation, bytes }) => ({
    name,
    generation,
    bytes,
    verified: verified.has(`${name}#${generation}`),
  }));
  return { ...state, chunk, members };
}
