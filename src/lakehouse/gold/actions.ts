import type { protos } from '@google-cloud/dataform';

/** An action of a compilation, as Dataform lists it. */
export type CompiledAction = protos.google.cloud.dataform.v1.ICompilationResultAction;

type Target = protos.google.cloud.dataform.v1.ITarget;

/** A table of Gold, or another relation that a run makes. */
export interface GoldRelation {
  /** `<dataset>.<name>` */
  table: string;
  /** Full name for SQL, without backticks. */
  name: string;
  /** What BigQuery partitions it by, such as `DATE(event_time)`; undefined for none. */
  partitionBy?: string;
}

/** The SQL of one action. */
export interface ActionSql {
  /** `<dataset>.<name>` */
  target: string;
  /** Tried in order until one names only tables that exist: an incremental action reads itself, and is not there at first. */
  queries: string[];
  /** Whether BigQuery can be asked for each alone; statements of an operation may need one another. */
  alone: boolean;
}

const keyOf = ({ database, schema, name }: Target): string => `${database ?? ''}.${schema ?? ''}.${name ?? ''}`;

/** `<dataset>.<name>` of a target. */
export const shortName = ({ schema, name }: Target): string => `${schema ?? ''}.${name ?? ''}`;

const bodyOf = ({ relation, assertion, operations }: CompiledAction) => relation ?? assertion ?? operations;

/** The actions with one of the tags and everything that they need, as an invocation by these tags runs them. */
export function selectActions(actions: CompiledAction[], tags: string[]): CompiledAction[] {
  const byKey = new Map(actions.map((action) => [keyOf(action.target ?? {}), action]));
  const wanted = new Set(tags);
  const waiting = actions.filter((action) => bodyOf(action)?.tags?.some((tag) => wanted.has(tag)));
  const selected = new Set<CompiledAction>();
  for (let action = waiting.pop(); action; action = waiting.pop()) {
    const body = bodyOf(action);
    if (!body || body.disabled || selected.has(action)) continue;
    selected.add(action);
    for (const target of body.dependencyTargets ?? []) {
      const needed = byKey.get(keyOf(target));
      if (needed) waiting.push(needed);
    }
  }
  return actions.filter((action) => selected.has(action));
}

/** What an action asks BigQuery; a declaration asks nothing. */
export function sqlOf({ target, relation, assertion, operations }: CompiledAction): ActionSql[] {
  const name = shortName(target ?? {});
  if (operations) return (operations.queries ?? []).map((query) => ({ target: name, queries: [query], alone: false }));
  const incremental = relation?.incrementalTableConfig?.incrementalSelectQuery;
  const whole = relation?.selectQuery ?? assertion?.selectQuery;
  const queries = [incremental, whole].filter((query): query is string => Boolean(query));
  return queries.length ? [{ target: name, queries, alone: true }] : [];
}

/** Dataset of Bronze in BigQuery. */
const RAW = 'raw';

/** Tables of Bronze in BigQuery that the actions themselves name, sorted. */
export function rawTablesOf(actions: CompiledAction[]): string[] {
  const named = actions.flatMap((action) => bodyOf(action)?.dependencyTargets ?? []);
  const tables = named.flatMap(({ schema, name }) => (schema === RAW && name ? [name] : []));
  return [...new Set(tables)].sort();
}

/** The tables and views among the actions. */
export function relationsOf(actions: CompiledAction[]): GoldRelation[] {
  return actions
    .filter(({ relation }) => relation)
    .map(({ target, relation }) => ({
      table: shortName(target ?? {}),
      name: keyOf(target ?? {}),
      ...(relation?.partitionExpression ? { partitionBy: relation.partitionExpression } : {}),
    }));
}
