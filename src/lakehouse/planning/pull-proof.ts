import pLimit from 'p-limit';
import { listFeed } from '../bronze/index.ts';
import { fingerprint } from '../deltas/index.ts';
import type { LedgerState } from '../ledger/index.ts';
import type { ObjectStore } from '../object-store.ts';
import { windowPartition } from '../pull/index.ts';
import type { PullLog, PullWindow } from '../pull/index.ts';
import type { PlanLine } from './plan-store.ts';

const HOUR = 3_600_000;

/** Windows looked at at once. */
const AT_ONCE = 16;

/** What a proof is read from. */
export interface PullProof {
  store: ObjectStore;
  bronzeBucket: string;
  log: PullLog;
  source: string;
  /** The run that was to pull. */
  run: string;
}

/** Whether a run has pulled a window whole, and all that its partition holds now is committed. */
async function isProven(proof: PullProof, window: PullWindow, done: LedgerState | undefined): Promise<boolean> {
  const { store, bronzeBucket, log, source, run } = proof;
  const { contractHash, rulesVersion } = (done?.detail ?? {}) as { contractHash?: string; rulesVersion?: number };
  if (!done || contractHash === undefined || rulesVersion === undefined) return false;
  if (!(await log.hasWindow(source, window, run))) return false;
  const from = new Date(window.from);
  const range = { from, to: new Date(from.getTime() + HOUR) };
  const objects = await listFeed(store, bronzeBucket, source, window.feed, range);
  return fingerprint(objects, contractHash, rulesVersion) === done.fingerprint;
}

/**
 * Lines of a plan that were to be pulled and are not proven. What a window would bring is not known when it is planned, so its
 * partition is compared with Bronze as it is now.
 *
 * @param done newest state of every partition that is done
 */
export async function unprovenWindows(
  proof: PullProof,
  lines: PlanLine[],
  done: ReadonlyMap<string, LedgerState>,
): Promise<PlanLine[]> {
  const limit = pLimit(AT_ONCE);
  const looked = await Promise.all(
    lines.flatMap((line) => {
      const { window } = line;
      if (!window) return [];
      return [limit(async () => ({ line, proven: await isProven(proof, window, done.get(windowPartition(window))) }))];
    }),
  );
  return looked.filter(({ proven }) => !proven).map(({ line }) => line);
}
