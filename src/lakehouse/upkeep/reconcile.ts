import type { CompiledContract } from '../../contracts/index.ts';
import { listBronze } from '../bronze/index.ts';
import type { HourRange } from '../bronze/index.ts';
import { ledgerEvent } from '../ledger/index.ts';
import type { Ledger } from '../ledger/index.ts';
import { validateObjects } from '../planning/validate.ts';
import type { ValidationResources } from '../planning/validate.ts';
import { judgeHoles } from './holes.ts';
import { sweepOutbox } from './outbox.ts';
import type { OutboxResources } from './outbox.ts';

/** What a reconciliation found and mended. */
export interface Reconciliation {
  /** Objects of Bronze in the range. */
  objects: number;
  /** Of these, objects that the ledger knew. */
  arrived: number;
  /** Objects whose finalize event was lost; they are registered now. */
  registered: number;
  /** Of the registered ones, objects that verification refused. */
  refused: number;
  /** Objects whose records a crash left unpublished; they are out now. */
  republished: number;
  /** Runs of slots without an object. */
  missingRuns: number;
  /** Gaps that are still true. */
  gaps: number;
  /** Of these, gaps whose time another answer reaches over, so that no row is lost. */
  coveredGaps: number;
  /** Missing runs and gaps that were taken back. */
  found: number;
}

/** What a reconciliation works with. */
export interface ReconcileResources extends ValidationResources, OutboxResources {
  ledger: Pick<Ledger, 'latest' | 'append'>;
}

/**
 * Compares Bronze with what the ledger and the outbox say of a range, and mends them: Bronze is the truth. Safe to repeat.
 *
 * @param run names this reconciliation in the ledger
 */
export async function reconcileBronze(
  resources: ReconcileResources,
  contract: CompiledContract,
  range: HourRange,
  run: string,
): Promise<Reconciliation> {
  const { ledger } = resources;
  const { source } = contract;
  const objects = await listBronze(resources.store, resources.bronzeBucket, contract, range);
  const states = await ledger.latest(source, ['arrival', 'missing', 'gap']);
  const known = new Map(states.filter(({ kind }) => kind === 'arrival').map(({ subject, state }) => [subject, state]));
  const stateOf = ({ name, generation }: { name: string; generation: string }) => known.get(`${name}#${generation}`);
  const lost = objects.filter((object) => stateOf(object) === undefined);
  const { arrivals, accepted, refused } = await validateObjects(resources, contract, lost, new Map());
  await ledger.append(arrivals);
  const good = new Set(accepted);
  const readable = objects.filter((object) => good.has(object) || stateOf(object) === 'verified');
  const republished = await sweepOutbox(resources, contract, range, readable);
  const holes = await judgeHoles(resources, contract, range, readable, states, run);
  const result: Reconciliation = {
    objects: objects.length,
    arrived: objects.length - lost.length,
    registered: lost.length,
    refused,
    republished,
    missingRuns: holes.missing.length,
    gaps: holes.gaps.length,
    coveredGaps: holes.coveredGaps,
    found: holes.events.filter(({ state }) => state === 'found').length,
  };
  const subject = `${range.from.toISOString()}/${range.to.toISOString()}`;
  await ledger.append([
    ...holes.events,
    ledgerEvent('reconciliation', source, subject, stateOfResult(result), '', result, new Date(), run),
  ]);
  return result;
}

/** `mended`: something was lost and is there now. `balanced`: there was nothing to do. */
const stateOfResult = ({ registered, republished, found }: Reconciliation): string =>
  registered + republished + found > 0 ? 'mended' : 'balanced';
