import pLimit from 'p-limit';
import type { CompiledContract } from '../../contracts/index.ts';
import { ledgerEvent } from '../ledger/index.ts';
import type { LedgerEvent } from '../ledger/index.ts';
import type { ObjectStore } from '../object-store.ts';
import { markerUri } from './list.ts';
import type { QuarantineEntry } from './types.ts';

/** Markers written at once. */
const AT_ONCE = 32;

/** Who re-drives. */
export interface RedriveRun {
  workflowId: string;
  /** The first run of the chain. */
  runId: string;
  /** Who asked for it, as they named themselves. */
  by: string;
}

/** Marks every copy of entries as re-driven, create-only: nothing in quarantine is changed or deleted. */
export async function markEntries(
  store: ObjectStore,
  contract: Pick<CompiledContract, 'hash'>,
  entries: QuarantineEntry[],
  run: RedriveRun,
  at: Date,
): Promise<void> {
  const limit = pLimit(AT_ONCE);
  const body = JSON.stringify({ ...run, contract: contract.hash, at: at.toISOString() });
  const mark = ({ uri }: { uri: string }) => store.create(markerUri(uri), body, 'application/json');
  await Promise.all(entries.flatMap(({ copies }) => copies).map((copy) => limit(() => mark(copy))));
}

const countBy = (codes: string[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(codes, (code) => code)].map(([code, of]) => [code, of.length]).sort());

/**
 * What the ledger is told of a page: one event of kind `redrive`, and one of each file that is in Silver now.
 *
 * @param page number of the page; with the run it makes the event's id, so that a retry adds nothing
 */
export function redriveEvents(
  contract: Pick<CompiledContract, 'source' | 'hash'>,
  entries: QuarantineEntry[],
  run: RedriveRun,
  page: number,
  at: Date,
): LedgerEvent[] {
  if (!entries.length) return [];
  const { source, hash } = contract;
  const detail = {
    ...run,
    redriven: entries.length,
    reasons: countBy(entries.map(({ reasonCode }) => reasonCode)),
    partitions: new Set(entries.flatMap(({ partitions }) => partitions)).size,
    contractsBefore: [...new Set(entries.flatMap(({ copies }) => copies.map((copy) => copy.contract)))].sort(),
    contractAfter: hash,
  };
  const files = entries.filter(({ kind }) => kind === 'file');
  return [
    ledgerEvent('redrive', source, `${run.runId}/${page}`, 'redriven', '', detail, at),
    ...files.map(({ id }) => ledgerEvent('file', source, id, 'processed', '', { redrivenBy: run.workflowId }, at)),
  ];
}
