import { short } from './activities.ts';
import { anewWhenLost, awaitGold, compileGold, coveredBy, GOLD_TAG, isMade, startGold } from './gold-run.ts';
import { inGoldTurn } from './in-gold-turn.ts';

/** What became of Gold. */
export interface Materialized {
  /** `empty`: Silver holds nothing yet. `unchanged`: the same SQL has run over the same snapshot. */
  state: 'materialized' | 'unchanged' | 'empty';
  /** Time that every action read Silver as of. */
  asOf: string | null;
  invocation: string | null;
}

/**
 * Runs Dataform over one view of Silver, in Gold's turn: the snapshots and the time are taken once, and every action reads as of it.
 * It is entered for every source that it covers, so that who waited behind it for one of these snapshots finds nothing left to do.
 */
export async function materialize({ source }: { source: string }): Promise<Materialized> {
  return anewWhenLost(() => inGoldTurn(() => makeGold(source)));
}

async function makeGold(source: string): Promise<Materialized> {
  const others = (await short.goldSources()).filter((other) => other !== source);
  const gold = await compileGold({ sources: [source], others });
  if (!gold) return { state: 'empty', asOf: null, invocation: null };
  const { asOf, compilation, fingerprints } = gold;
  const own = fingerprints.filter((of) => of.source === source);
  if (await isMade(own, false)) return { state: 'unchanged', asOf, invocation: null };
  const made = await coveredBy(gold, source);
  const invocation = await startGold(compilation, [GOLD_TAG]);
  await awaitGold(invocation);
  await short.recordMaterialization({ made, invocation, asOf });
  return { state: 'materialized', asOf, invocation };
}
