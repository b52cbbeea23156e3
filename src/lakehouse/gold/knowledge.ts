import type { v1 } from '@google-cloud/dataform';
import type { CompiledContract } from '../../contracts/index.ts';
import { googleError, isNotFound } from '../../gcp/errors.ts';
import type { Ledger } from '../ledger/index.ts';
import type { CompiledAction } from './actions.ts';
import { dependentsOf } from './dependents.ts';
import type { Dependent, Root } from './dependents.ts';

/** The newest run of Gold that the ledger knows as made. */
export interface GoldRun {
  /** Time that every action read Silver as of, ISO 8601. */
  asOf: string;
  /** Resource name of Dataform's invocation. */
  invocation: string;
  /** When it was entered, ISO 8601. */
  at: string;
}

/** What Gold is made of, as far as a source matters. */
export interface GoldKnowledge {
  /** Null: Gold was never made, or the ledger does not say so. */
  run: GoldRun | null;
  /** Tables and views that stand on the source, as that run compiled them. */
  tables: Dependent[];
}

/** What reading it works with. */
export interface GoldKnowledgeResources {
  ledger: Pick<Ledger, 'latest'>;
  dataform: Pick<v1.DataformClient, 'getWorkflowInvocation' | 'queryCompilationResultActionsAsync'>;
  /** Compiles the project and returns the name of the compilation result. */
  compile(asOf: string): Promise<string>;
  project: string;
  /** The catalog's part of BigQuery's four-part names. */
  catalogName: string;
}

const TIMEOUT = { timeout: 60_000 };

/** Every run makes all of Gold from one time of all sources, whichever source it was entered for. */
async function newestRun(ledger: Pick<Ledger, 'latest'>, sources: string[]): Promise<GoldRun | null> {
  const states = await Promise.all(sources.map((source) => ledger.latest(source, ['materialization'])));
  const runs = states
    .flat()
    .filter(({ state }) => state === 'succeeded')
    .map(({ detail, occurredAt: at }) => ({ asOf: String(detail.asOf), invocation: String(detail.invocation), at }));
  return runs.reduce<GoldRun | null>((a, b) => (a && a.asOf >= b.asOf ? a : b), null);
}

async function readActions(
  dataform: GoldKnowledgeResources['dataform'],
  compilation: string,
): Promise<CompiledAction[]> {
  const actions: CompiledAction[] = [];
  for await (const action of dataform.queryCompilationResultActionsAsync({ name: compilation }, TIMEOUT))
    actions.push(action);
  return actions;
}

/** The actions of a run; undefined where Dataform has forgotten it. */
async function actionsOfRun(
  dataform: GoldKnowledgeResources['dataform'],
  { invocation }: GoldRun,
): Promise<CompiledAction[] | undefined> {
  try {
    const [found] = await dataform.getWorkflowInvocation({ name: invocation }, TIMEOUT);
    return found.compilationResult ? await readActions(dataform, found.compilationResult) : undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw googleError('Dataform', `actions of ${invocation}`, error);
  }
}

/** Tables by which records of a source come to BigQuery: its own of Silver, and the one of Bronze that a subscription fills. */
export function rootsOf(
  { sink, messaging }: Pick<CompiledContract, 'sink' | 'messaging'>,
  project: string,
  catalogName: string,
): Root[] {
  const silver = { database: `${project}.${catalogName}`, schema: sink.namespace, name: sink.table };
  const raw = messaging?.rawTable;
  return raw ? [silver, { database: project, schema: 'raw', name: raw }] : [silver];
}

/**
 * Reads which tables of Gold stand on a source, and when they were last made. The SQL is that of the newest run; where Dataform has
 * forgotten it, or there was none, it is compiled anew.
 *
 * @param sources every source: a run is entered under the one that it was made for
 * @throws CupelError CUP_GOOGLE_UNAVAILABLE, CUP_GOOGLE_REFUSED, CUP_DATAFORM_COMPILATION_FAILED
 */
export async function readGoldKnowledge(
  resources: GoldKnowledgeResources,
  contract: CompiledContract,
  sources: string[],
): Promise<GoldKnowledge> {
  const { ledger, dataform, compile, project, catalogName } = resources;
  const run = await newestRun(ledger, sources);
  const actions =
    (run && (await actionsOfRun(dataform, run))) ?? (await readActions(dataform, await compile(run?.asOf ?? '')));
  return { run, tables: dependentsOf(actions, rootsOf(contract, project, catalogName)) };
}
