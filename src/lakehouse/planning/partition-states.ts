import type { CompiledContract } from '../../contracts/index.ts';
import type { MissingRun, Partition } from '../bronze/index.ts';
import { fingerprint } from '../deltas/index.ts';
import type { LedgerState } from '../ledger/index.ts';

/** `missing`: never committed, or no object at all; `gap`: its answer came too late and landed elsewhere. */
export type PartitionState = 'missing' | 'failed' | 'gap' | 'stale' | 'done';

/** A partition of a plan. */
export interface PlannedPartition {
  /** `<feed>/YYYY-MM-DDTHH` */
  partition: string;
  state: PartitionState;
  /** Why it is in that state; empty where it is done. */
  why: string;
  /** Number of objects in Bronze. */
  objects: number;
  bytes: number;
  /** Records that it held when it was last processed; null where nobody knows. */
  rows: number | null;
  fingerprint: string;
}

type States = ReadonlyMap<string, LedgerState>;

/** What differs from the time when a partition was committed. */
function reasonsOf(contract: CompiledContract, partition: Partition, before: LedgerState): string {
  const { contractHash, rulesVersion } = before.detail as { contractHash?: string; rulesVersion?: number };
  if (contractHash === undefined || rulesVersion === undefined) return 'fingerprint';
  const reasons: string[] = [];
  if (fingerprint(partition.objects, contractHash, rulesVersion) !== before.fingerprint) reasons.push('objects');
  if (rulesVersion !== contract.rulesVersion) reasons.push('rules');
  else if (contractHash !== contract.hash) reasons.push('contract');
  return reasons.join(', ');
}

function stateOf(
  contract: CompiledContract,
  partition: Partition,
  known: LedgerState | undefined,
  gap: LedgerState | undefined,
): Pick<PlannedPartition, 'state' | 'why'> {
  if (!known) return { state: 'missing', why: 'never processed' };
  if (known.state === 'failed') return { state: 'failed', why: String(known.detail.code ?? 'unknown') };
  if (known.fingerprint !== partition.fingerprint)
    return { state: 'stale', why: reasonsOf(contract, partition, known) };
  if (gap) return { state: 'gap', why: lateAnswer(gap) };
  return { state: 'done', why: '' };
}

/**
 * The state of every partition that has objects.
 *
 * @param known newest state by partition, from the ledger
 * @param gaps gaps by partition, from the ledger
 */
export function partitionStates(
  contract: CompiledContract,
  partitions: Partition[],
  known: States,
  gaps: States,
): PlannedPartition[] {
  return partitions.map((of) => {
    const before = known.get(of.partition);
    const rows = before?.detail.recordsIn;
    return {
      partition: of.partition,
      ...stateOf(contract, of, before, gaps.get(of.partition)),
      objects: of.objects.length,
      bytes: of.bytes,
      rows: typeof rows === 'number' ? rows : null,
      fingerprint: of.fingerprint,
    };
  });
}

const HOUR = 3_600_000;

const hourAt = (time: number): string => new Date(time).toISOString().slice(0, 13);

const lateAnswer = (gap: LedgerState): string => `a late answer landed as ${String(gap.detail.object ?? 'unknown')}`;

function emptySlot({ feed, from, to, slots }: MissingRun, gap?: LedgerState): PlannedPartition {
  const length = slots > 1 ? `${slots} slots until ${to.slice(0, 13)}` : 'one slot';
  return {
    partition: `${feed}/${from.slice(0, 13)}`,
    state: gap ? 'gap' : 'missing',
    why: gap ? lateAnswer(gap) : `no object: ${length}`,
    objects: 0,
    bytes: 0,
    rows: null,
    fingerprint: '',
  };
}

/** Cuts a run where a late answer explains a slot: those are gaps, the rest between them is missing. */
function cutRun(run: MissingRun, gaps: States): PlannedPartition[] {
  const start = Date.parse(run.from);
  const width = (Date.parse(run.to) - start) / run.slots;
  const part = (first: number, slots: number): MissingRun => ({
    feed: run.feed,
    from: new Date(start + first * width).toISOString(),
    to: new Date(start + (first + slots) * width).toISOString(),
    slots,
  });
  const gapAt = (slot: number): LedgerState | undefined => {
    for (let at = start + slot * width; at < start + (slot + 1) * width; at += HOUR) {
      const gap = gaps.get(`${run.feed}/${hourAt(at)}`);
      if (gap) return gap;
    }
    return undefined;
  };
  const lines: PlannedPartition[] = [];
  let done = 0;
  for (let slot = 0; slot < run.slots; slot += 1) {
    const gap = gapAt(slot);
    if (!gap) continue;
    if (slot > done) lines.push(emptySlot(part(done, slot - done)));
    lines.push(emptySlot(part(slot, 1), gap));
    done = slot + 1;
  }
  if (done < run.slots) lines.push(emptySlot(part(done, run.slots - done)));
  return lines;
}

/** Slots of a schedule without an object: a gap where a late answer explains it, else missing, one line per run of slots. */
export function emptySlots(missing: MissingRun[], gaps: States): PlannedPartition[] {
  return missing.flatMap((run) => cutRun(run, gaps));
}

/** A slot without an object whose records a pull has brought. */
export function repairedSlot(partition: string, by: string): PlannedPartition {
  return {
    partition,
    state: 'done',
    why: `no object: pulled by ${by}`,
    objects: 0,
    bytes: 0,
    rows: null,
    fingerprint: '',
  };
}

/** Gaps of the ledger by partition: they are told by nominal time. */
export function gapsByPartition(states: LedgerState[]): Map<string, LedgerState> {
  const hourOf = (subject: string): string => subject.slice(0, subject.lastIndexOf('/') + 1 + 'YYYY-MM-DDTHH'.length);
  return new Map(states.filter(({ state }) => state === 'gap').map((state) => [hourOf(state.subject), state]));
}
