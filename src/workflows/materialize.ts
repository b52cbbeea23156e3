import { short, waiting } from './activities.ts';

/** What became of Gold. */
export interface Materialized {
  /** `empty`: Silver holds nothing yet. `unchanged`: the same SQL has run over the same snapshots. */
  state: 'materialized' | 'unchanged' | 'empty';
  /** Time that every action read Silver as of. */
  asOf: string | null;
  invocation: string | null;
}

/** Runs Dataform over one view of Silver: the snapshots and the time are taken once, and every action reads as of it. */
export async function materialize(input: { source: string; contractUri: string }): Promise<Materialized> {
  const silver = await short.readSilverState({ contractUri: input.contractUri });
  if (!silver.snapshotId) return { state: 'empty', asOf: null, invocation: null };
  const compilation = await short.compileDataform({ asOf: silver.asOf });
  const fingerprint = `${silver.snapshotId}/${compilation.commit}`;
  if (await short.isMaterialized({ source: input.source, fingerprint }))
    return { state: 'unchanged', asOf: silver.asOf, invocation: null };
  const invocation = await short.startDataform({ compilationResult: compilation.name, tags: ['gold'] });
  await waiting.awaitDataform({ invocation });
  await short.recordMaterialization({ source: input.source, fingerprint, invocation, asOf: silver.asOf });
  return { state: 'materialized', asOf: silver.asOf, invocation };
}
