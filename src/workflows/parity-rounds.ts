import { sleep } from '@temporalio/workflow';
import type { ComparedRound, OpenedShadow } from '../activities/parity.ts';
import { short, working } from './activities.ts';
import { recompute } from './parity-recompute.ts';
import type { Recomputed } from './parity-recompute.ts';
import type { Range } from './range.ts';

/** Between two looks whether batches are settled. */
const LOOK_EVERY_MS = 2_000;

/** Most looks: a batch that nobody commits by then is told of, and not waited for. */
const MAX_LOOKS = 60;

/** Between two rounds of comparing. */
const ROUND_EVERY_MS = 30_000;

/** Waits until the batches that are published by now are settled. Returns how many still are not. */
export async function settlePresent(table: string): Promise<number> {
  let open = await working.waitingBatches({ table });
  for (let looks = 0; open.length && looks < MAX_LOOKS; looks += 1) {
    await sleep(LOOK_EVERY_MS);
    const settled = new Set((await short.readOutcomes({ table, batchIds: open })).map(({ batchId }) => batchId));
    open = open.filter((batchId) => !settled.has(batchId));
  }
  return open.length;
}

/** What is compared in rounds. */
interface Rounds {
  shadow: OpenedShadow;
  range?: Range;
  /** What Bronze gave at first. */
  first: Recomputed;
  /** Seconds for what may heal. */
  patience: number;
}

/** How the last round ended. */
export interface Verdict {
  compared: ComparedRound;
  recomputed: Recomputed;
  rounds: number;
  silver: string | null;
}

/**
 * Compares; and where something differs again, after what landed meanwhile was computed too, so that neither side is blamed for what
 * it could not have yet. A third time and more only while time may heal what differs.
 */
export async function verdictOf({ shadow, range, first, patience }: Rounds): Promise<Verdict> {
  const readSilver = (): Promise<string | null> => short.readSilverSnapshot({ shadow });
  const pair = { silver: await readSilver(), shadow: first.snapshotId };
  const common = { shadow, first: pair, ...(range ? { range } : {}) };
  let last: Verdict = {
    compared: await working.compareWithShadow({ ...common, now: pair, round: 1 }),
    recomputed: first,
    rounds: 1,
    silver: pair.silver,
  };
  const until = Date.now() + patience * 1_000;
  while (last.compared.total && (last.rounds === 1 || (last.compared.mayHeal && Date.now() < until))) {
    if (last.rounds > 1) await sleep(ROUND_EVERY_MS);
    const recomputed = await recompute(shadow, range);
    const now = { silver: await readSilver(), shadow: recomputed.snapshotId };
    const rounds = last.rounds + 1;
    const compared = await working.compareWithShadow({ ...common, now, round: rounds, previous: last.compared });
    last = { compared, recomputed, rounds, silver: now.silver };
  }
  return last;
}
