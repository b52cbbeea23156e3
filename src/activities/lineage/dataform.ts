import type { BigQuery } from '@google-cloud/bigquery';
import { icebergFacets, bigqueryDataset, storageDataset } from '../../lineage/datasets.ts';
import { actionEvents, actionsOf, invocationWork, readsOf } from '../../lineage/jobs/dataform.ts';
import type { Invocation, KnownDatasets, NativeTable, RanAction, Target } from '../../lineage/jobs/dataform.ts';
import { runIdOf } from '../../lineage/index.ts';
import type { InputDataset } from '../../lineage/index.ts';
import type { CompiledAction } from '../../lakehouse/gold/actions.ts';
import type { ActivityResources } from '../resources.ts';
import type { LineageFacts } from './facts.ts';
import type { Steps } from './step.ts';

const TIMEOUT = { timeout: 20_000 };

const keyOf = ({ database, schema, name }: Target): string => `${database ?? ''}.${schema ?? ''}.${name ?? ''}`;

/** An invocation, and the time that it reads Silver as of. */
interface Compiled extends Invocation {
  asOf: string | undefined;
}

async function readInvocation({ dataform }: ActivityResources, name: string): Promise<Compiled> {
  const [invocation] = await dataform.getWorkflowInvocation({ name }, TIMEOUT);
  const compilation = invocation.compilationResult ?? '';
  const [result] = await dataform.getCompilationResult({ name: compilation }, TIMEOUT);
  const compiled: CompiledAction[] = [];
  for await (const action of dataform.queryCompilationResultActionsAsync({ name: compilation }, TIMEOUT))
    compiled.push(action);
  return {
    name,
    compiled,
    coreVersion: result.dataformCoreVersion ?? 'unknown',
    tags: invocation.invocationConfig?.includedTags ?? [],
    asOf: result.codeCompilationConfig?.vars?.as_of,
  };
}

async function ranActions({ dataform }: ActivityResources, name: string): Promise<RanAction[]> {
  const ran: RanAction[] = [];
  for await (const action of dataform.queryWorkflowInvocationActionsAsync({ name }, TIMEOUT)) ran.push(action);
  return ran;
}

/** A table of Silver by the name that BigQuery has for it: the same dataset that the committer writes, as it was at that time. */
async function silverInput(facts: LineageFacts, { schema, name }: Target, asOf: string | undefined) {
  const table = await facts.table(schema ?? '', name ?? '');
  if (!table) return undefined;
  const { location } = table.metadata;
  const timeMs = asOf === undefined ? Infinity : Date.parse(asOf);
  const seen = table.snapshots.filter((snapshot) => snapshot['timestamp-ms'] <= timeMs).at(-1);
  const snapshotId = seen && String(seen['snapshot-id']);
  const known = { namespace: table.namespace, name: table.name, location };
  return { ...storageDataset(location), facets: icebergFacets(facts.places, known, snapshotId) };
}

interface TableMetadata {
  schema?: { fields?: { name: string; type: string; description?: string }[] };
  numRows?: string;
  numBytes?: string;
}

/** What BigQuery has of a table that an action has written; undefined where it does not say. */
async function nativeTable(bigquery: BigQuery, { schema, name }: Target): Promise<NativeTable | undefined> {
  const reading = bigquery
    .dataset(schema ?? '')
    .table(name ?? '')
    .getMetadata() as unknown as Promise<[TableMetadata]>;
  const [metadata] = await reading.catch(() => [undefined]); // a facet less, and no event less
  if (!metadata?.schema?.fields) return undefined;
  const fields = metadata.schema.fields.map(({ name: of, type, description }) => ({
    name: of,
    type,
    ...(description ? { description } : {}),
  }));
  const { numRows, numBytes } = metadata;
  return {
    fields,
    ...(numRows === undefined ? {} : { rows: Number(numRows) }),
    ...(numBytes === undefined ? {} : { bytes: Number(numBytes) }),
  };
}

/** What the tables of an invocation are called elsewhere, and what BigQuery has of those that were written. */
async function known(
  { environment, bigquery }: ActivityResources,
  facts: LineageFacts,
  invocation: Compiled,
  written: readonly Target[],
): Promise<KnownDatasets> {
  const { project, catalog } = environment;
  const silver = new Map<string, InputDataset>();
  for (const target of actionsOf(invocation).flatMap((action) => readsOf(action, invocation.compiled))) {
    if (target.database !== `${project}.${catalog.name}` || silver.has(keyOf(target))) continue;
    const input = await silverInput(facts, target, invocation.asOf);
    if (input) silver.set(keyOf(target), input);
  }
  const found = written.map(async (target) => [keyOf(target), await nativeTable(bigquery, target)] as const);
  const tables = new Map(await Promise.all(found));
  return {
    datasetOf: (target) =>
      silver.get(keyOf(target)) ?? bigqueryDataset(target.database || project, target.schema ?? '', target.name ?? ''),
    tableOf: (target) => tables.get(keyOf(target)),
  };
}

/** An invocation of Dataform and its actions: a run each, the actions' at the times that Dataform tells when all is over. */
export function dataformStep(resources: ActivityResources, facts: LineageFacts): NonNullable<Steps['awaitDataform']> {
  const namespace = resources.environment.lineage?.namespace ?? '';
  return {
    runId: ({ invocation }) => runIdOf('dataform', invocation),
    work: async ({ invocation }) => invocationWork(await readInvocation(resources, invocation)),
    async also({ invocation: name }, _result, { runId, parentage, at }) {
      const invocation = await readInvocation(resources, name);
      const ran = await ranActions(resources, name);
      const relations = new Set(
        invocation.compiled.filter(({ relation }) => relation).map(({ target }) => keyOf(target ?? {})),
      );
      const written = ran
        .filter(({ target, state }) => relations.has(keyOf(target ?? {})) && String(state) === 'SUCCEEDED')
        .map(({ target }) => target ?? {});
      const datasets = await known(resources, facts, invocation, written);
      const parent = { runId, job: invocationWork(invocation).job };
      const of = { parent, root: parentage?.root ?? parent };
      return ran.flatMap((action) => actionEvents(namespace, invocation, datasets, action, of, at));
    },
  };
}
