import { CancellationScope, isCancellation, log } from '@temporalio/workflow';
import type { MadeFrom } from '../activities/ledger.ts';
import type { SilverState, SilverStatesInput } from '../activities/silver.ts';
import { short, waiting } from './activities.ts';
import { codeOf } from './failures.ts';

// What `materialize` and `nightlyGold` have in common. All of it belongs inside Gold's turn (in-gold-turn.ts).

/** The tag of all of Gold. */
export const GOLD_TAG = 'gold';

/** What Gold is made from, as far as a source matters: its snapshot and the commit of the SQL. */
export interface GoldFingerprint extends SilverState {
  fingerprint: string;
}

/** The SQL project, compiled for one time of Silver. */
export interface CompiledGold {
  /** Time that every action reads Silver as of. */
  asOf: string;
  /** Resource name of the compilation. */
  compilation: string;
  fingerprints: GoldFingerprint[];
}

/** Times that Gold is begun because Dataform forgot what it was doing. */
const MAX_LOST = 3;

/** Begins anew where Dataform forgot what it was doing. */
export async function anewWhenLost<T>(work: () => Promise<T>): Promise<T> {
  for (let lost = 1; ; lost += 1) {
    try {
      return await work();
    } catch (error) {
      if (codeOf(error) !== 'CUP_DATAFORM_LOST' || lost === MAX_LOST) throw error;
    }
  }
}

/**
 * Takes the newest snapshots and one time, and compiles once for it; undefined while none of the sources has a snapshot.
 *
 * @param read `sources` are those that Gold is made for
 */
export async function compileGold(read: SilverStatesInput): Promise<CompiledGold | undefined> {
  const { asOf, states } = await short.readSilverStates(read);
  if (!states.some(({ source }) => read.sources.includes(source))) return undefined;
  const { name, commit } = await short.compileDataform({ asOf });
  const fingerprints = states.map((state) => ({ ...state, fingerprint: `${state.snapshotId}/${commit}` }));
  return { asOf, compilation: name, fingerprints };
}

/**
 * Whether Gold was made from all of these.
 *
 * @param byOthers whether a run counts that does not speak for tables in `raw`
 */
export async function isMade(fingerprints: GoldFingerprint[], byOthers: boolean): Promise<boolean> {
  const made = await Promise.all(
    fingerprints.map(({ source, fingerprint }) => short.isMaterialized({ source, fingerprint, byOthers })),
  );
  return made.every(Boolean);
}

/**
 * What a run may enter as made, of each source. Where Gold reads a source's table in `raw`, the snapshot does not say all: rows come
 * to that by themselves, so only a run of the source's own, which came after them, can say that they are in Gold.
 *
 * @param own the source that the run is for; none where it is for all
 */
export async function coveredBy({ compilation, fingerprints }: CompiledGold, own?: string): Promise<MadeFrom[]> {
  const hasRaw = fingerprints.some(({ source, rawTable }) => source !== own && rawTable);
  const read = new Set(hasRaw ? await short.readRawTables({ compilation, tags: [GOLD_TAG] }) : []);
  return fingerprints.map(({ source, fingerprint, rawTable }) => ({
    source,
    fingerprint,
    ...(source !== own && rawTable && read.has(rawTable) ? { byOthers: true } : {}),
  }));
}

/** Starts the actions; returns the name of the invocation. */
export function startGold(compilation: string, tags: string[]): Promise<string> {
  // Not to be cancelled half-way: an invocation whose name nobody has is one that nobody can stop.
  return CancellationScope.nonCancellable(() => short.startDataform({ compilationResult: compilation, tags }));
}

/** Waits for an invocation. When it is cancelled, it has ended before this does: then the turn is another's. */
export async function awaitGold(invocation: string): Promise<void> {
  try {
    await waiting.awaitDataform({ invocation });
  } catch (error) {
    if (isCancellation(error)) await stop(invocation);
    throw error;
  }
}

/** Stops an invocation; one that cannot be stopped hides no cancellation. */
async function stop(invocation: string): Promise<void> {
  try {
    await CancellationScope.nonCancellable(async () => {
      await short.cancelDataform({ invocation });
      await waiting.awaitDataform({ invocation });
    });
  } catch (error) {
    const code = codeOf(error);
    if (code !== 'CUP_DATAFORM_CANCELLED') log.warn('the invocation was not stopped', { invocation, code });
  }
}
