import { short, waiting } from './activities.ts';
import { codeOf } from './failures.ts';

/** What became of Gold. */
export interface Materialized {
  /** `empty`: Silver holds nothing yet. `unchanged`: the same SQL has run over the same snapshots. */
  state: 'materialized' | 'unchanged' | 'empty';
  /** Time that every action read Silver as of. */
  asOf: string | null;
  invocation: string | null;
}

/** Times that Gold is made anew because Dataform forgot what it was doing. */
const MAX_LOST = 3;

/** Runs Dataform over one view of Silver: the snapshots and the time are taken once, and every action reads as of it. */
export async function materialize(input: { source: string; contractUri: string }): Promise<Materialized> {
  const silver = await short.readSilverState({ contractUri: input.contractUri });
  const { snapshotId, asOf } = silver;
  if (!snapshotId) return { state: 'empty', asOf: null, invocation: null };
  for (let lost = 1; ; lost += 1) {
    try {
      return await makeGold(input.source, snapshotId, asOf);
    } catch (error) {
      if (codeOf(error) !== 'CUP_DATAFORM_LOST' || lost === MAX_LOST) throw error;
    }
  }
}

async function makeGold(source: string, snapshotId: string, asOf: string): Promise<Materialized> {
  const compilation = await short.compileDataform({ asOf });
  const fingerprint = `${snapshotId}/${compilation.commit}`;
  if (await short.isMaterialized({ source, fingerprint })) return { state: 'unchanged', asOf, invocation: null };
  const invocation = await short.startDataform({ compilationResult: compilation.name, tags: ['gold'] });
  await waiting.awaitDataform({ invocation });
  await short.recordMaterialization({ source, fingerprint, invocation, asOf });
  return { state: 'materialized', asOf, invocation };
}
