import type { protos } from '@google-cloud/dataform';
import { selectActions, shortName } from '../../lakehouse/gold/actions.ts';
import type { CompiledAction } from '../../lakehouse/gold/actions.ts';
import type { Statistics } from '../datasets.ts';
import { writtenWith } from '../datasets.ts';
import { facets } from '../facets.ts';
import { runIdOf } from '../run-id.ts';
import { runEvent } from '../runs.ts';
import type { Work } from '../runs.ts';
import type { EventType, InputDataset, LineageEvent, OutputDataset, RunReference } from '../types.ts';

/** A table or view as Dataform names it. */
export type Target = protos.google.cloud.dataform.v1.ITarget;

/** An action as an invocation ran it. */
export type RanAction = protos.google.cloud.dataform.v1.IWorkflowInvocationAction;

/** An invocation with all that Dataform says of it. */
export interface Invocation {
  /** Resource name. */
  name: string;
  /** Of the SQL's compiler. */
  coreVersion: string;
  /** Actions of the compilation. */
  compiled: CompiledAction[];
  /** Tags that it was started with. */
  tags: string[];
}

/** What BigQuery has of a table. */
export interface NativeTable {
  fields: { name: string; type: string; description?: string }[];
  rows?: number;
  bytes?: number;
}

/** What datasets of an invocation are called elsewhere, and what is known of them. */
export interface KnownDatasets {
  datasetOf(target: Target): InputDataset;
  tableOf(target: Target): NativeTable | undefined;
}

const keyOf = ({ database, schema, name }: Target): string => `${database ?? ''}.${schema ?? ''}.${name ?? ''}`;

/** The actions that an invocation runs. */
export const actionsOf = ({ compiled, tags }: Invocation): CompiledAction[] =>
  selectActions(compiled, tags).filter(({ declaration }) => !declaration);

/** Tables and views that an action reads; an assertion that it merely waits for is none. */
export function readsOf({ relation, assertion, operations }: CompiledAction, compiled: CompiledAction[]): Target[] {
  const checks = new Set(compiled.filter((of) => of.assertion).map(({ target }) => keyOf(target ?? {})));
  const targets = (relation ?? assertion ?? operations)?.dependencyTargets ?? [];
  return targets.filter((target) => !checks.has(keyOf(target)));
}

/** The run of an invocation as a whole: what its actions are part of. It reads and writes nothing itself, else all would come from all. */
export const invocationWork = ({ tags, coreVersion }: Pick<Invocation, 'tags' | 'coreVersion'>): Work => ({
  job: `dataform.${tags.join('-') || 'all'}`,
  integration: 'DATAFORM',
  type: 'JOB',
  engine: { name: 'Dataform', version: coreVersion },
  inputs: [],
  outputs: [],
});

/** Type of a relation as Dataform names it: TABLE, VIEW, INCREMENTAL_TABLE, MATERIALIZED_VIEW. */
const kindOf = ({ relation, assertion }: CompiledAction): string =>
  assertion ? 'ASSERTION' : relation ? String(relation.relationType ?? 'TABLE') : 'OPERATIONS';

/** Where a table is written whole, what it holds is what was written. */
function statisticsOf(kind: string, table: NativeTable | undefined): Statistics | undefined {
  if (kind !== 'TABLE' || !table) return undefined;
  const { rows, bytes } = table;
  return rows === undefined ? undefined : { rowCount: rows, ...(bytes ? { size: bytes } : {}) };
}

function writtenBy(action: CompiledAction, known: KnownDatasets, ended: boolean): OutputDataset[] {
  const { target, relation } = action;
  if (!relation || !target) return [];
  const kind = kindOf(action);
  const table = ended ? known.tableOf(target) : undefined;
  const of = {
    ...known.datasetOf(target),
    facets: facets({
      datasetType: { datasetType: kind.endsWith('VIEW') ? 'VIEW' : 'TABLE', subType: kind },
      schema: table && { fields: table.fields },
    }),
  };
  const statistics = statisticsOf(kind, table);
  return [statistics ? writtenWith(of, statistics) : of];
}

function checkedBy(action: CompiledAction, dataset: InputDataset, passed: boolean): InputDataset {
  const name = shortName(action.target ?? {});
  const assertion = /uniqueKey/.test(name) ? 'unique' : 'custom_sql';
  const dataQualityAssertions = { assertions: [{ assertion, name, success: passed }] };
  return { ...dataset, inputFacets: facets({ dataQualityAssertions }) };
}

/**
 * One action.
 *
 * @param ran how it ended. Default: it begins
 */
export function actionWork(
  invocation: Invocation,
  action: CompiledAction,
  known: KnownDatasets,
  ran?: RanAction,
): Work {
  const { relation, assertion, operations } = action;
  const sql = relation?.selectQuery ?? assertion?.selectQuery ?? operations?.queries?.join(';\n');
  const bigqueryJob = ran?.bigqueryAction?.jobId;
  const read = readsOf(action, invocation.compiled).map((target) => known.datasetOf(target));
  const succeeded = ran && String(ran.state) === 'SUCCEEDED';
  return {
    job: `dataform.${shortName(action.target ?? {})}`,
    integration: 'DATAFORM',
    type: kindOf(action),
    engine: { name: 'Dataform', version: invocation.coreVersion },
    ...(sql ? { sql } : {}),
    ...(bigqueryJob ? { bigqueryJob } : {}),
    inputs: assertion && ran ? read.map((dataset) => checkedBy(action, dataset, Boolean(succeeded))) : read,
    outputs: writtenBy(action, known, Boolean(succeeded)),
  };
}

const ENDS: Partial<Record<string, EventType>> = { SUCCEEDED: 'COMPLETE', FAILED: 'FAIL', CANCELLED: 'ABORT' };

/** What BigQuery says may quote values, so only where to read it is told. */
function failureOf({ failureReason, bigqueryAction }: RanAction): string {
  if (/assertion failed/i.test(failureReason ?? '')) return 'CUP_DATAFORM_ASSERTION_FAILED: rows were found';
  return `CUP_DATAFORM_INVOCATION_FAILED: BigQuery job ${bigqueryAction?.jobId || 'none'} says more`;
}

const millis = (time: { seconds?: unknown; nanos?: number | null } | null | undefined, otherwise: number): number =>
  time ? Number(time.seconds ?? 0) * 1000 + Math.floor((time.nanos ?? 0) / 1e6) : otherwise;

/**
 * Both events of an action that has ended, at the times that Dataform tells; none of one that never ran.
 *
 * @param of the run of the invocation, and the one that all began with
 * @param at milliseconds since 1970, where Dataform tells no time
 */
export function actionEvents(
  namespace: string,
  invocation: Invocation,
  known: KnownDatasets,
  ran: RanAction,
  of: { parent: RunReference; root: RunReference },
  at: number,
): LineageEvent[] {
  const end = ENDS[String(ran.state)];
  const key = keyOf(ran.target ?? {});
  const action = invocation.compiled.find(({ target }) => keyOf(target ?? {}) === key);
  if (!end || !action) return [];
  const common = { runId: runIdOf('dataform', invocation.name, key), parentage: of };
  const { startTime, endTime } = ran.invocationTiming ?? {};
  const started = millis(startTime, at);
  const failure = end === 'FAIL' ? failureOf(ran) : undefined;
  return [
    runEvent(namespace, actionWork(invocation, action, known), { ...common, type: 'START', at: started }),
    runEvent(namespace, actionWork(invocation, action, known, ran), {
      ...common,
      type: end,
      at: millis(endTime, at),
      failure,
    }),
  ];
}
