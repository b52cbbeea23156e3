import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import type { Range } from './range.ts';
import { PARTITION, RUN_KIND, SOURCE, STAGE } from './search-attributes.ts';

/** Stages of a run, in order; none has all of them. */
export type Stage =
  | 'ingest'
  | 'wait'
  | 'plan'
  | 'validate'
  | 'process'
  | 'audit'
  | 'approval'
  | 'settle'
  | 'verify'
  | 'materialize'
  | 'done';

/** Kinds of runs, as the search attribute says them. */
export type RunKind =
  | 'ingest'
  | 'file'
  | 'pipeline'
  | 'redrive'
  | 'rebuild'
  | 'parity'
  | 'backfill'
  | 'chunk'
  | 'gold'
  | 'maintain'
  | 'reconcile'
  | 'monitor'
  | 'tick';

/** Makes a run findable in Temporal's list, and tells in its page what it does. */
export function tag(run: { source: string; kind: RunKind; stage: Stage; range?: Range }, details: string): void {
  upsertSearchAttributes([
    { key: SOURCE, value: run.source },
    { key: RUN_KIND, value: run.kind },
    { key: STAGE, value: run.stage },
    ...(run.range ? [{ key: PARTITION, value: `${run.range.from}/${run.range.to}` }] : []),
  ]);
  setCurrentDetails(details);
}

/** Makes an entity findable: the `source` of a name, its `stream`, the `committer` of a table, the `gold-turns`. */
export function tagEntity(kind: 'source' | 'committer' | 'stream' | 'gold-turns', source?: string): void {
  upsertSearchAttributes([
    { key: RUN_KIND, value: kind },
    ...(source === undefined ? [] : [{ key: SOURCE, value: source }]),
  ]);
}

/** Makes a run of upkeep findable, and tells in its page what it does. */
export function tagUpkeep(
  run: { kind: 'maintain' | 'reconcile' | 'monitor'; source?: string; range?: Range },
  details: string,
): void {
  upsertSearchAttributes([
    { key: RUN_KIND, value: run.kind },
    ...(run.source === undefined ? [] : [{ key: SOURCE, value: run.source }]),
    ...(run.range ? [{ key: PARTITION, value: `${run.range.from}/${run.range.to}` }] : []),
  ]);
  setCurrentDetails(details);
}

/** Makes a tick findable. */
export function tagTick(source: string | undefined, details: string): void {
  upsertSearchAttributes([
    { key: RUN_KIND, value: 'tick' },
    ...(source === undefined ? [] : [{ key: SOURCE, value: source }]),
  ]);
  setCurrentDetails(details);
}

/** Moves a run to its next stage. */
export function enterStage(stage: Stage, details: string): void {
  upsertSearchAttributes([{ key: STAGE, value: stage }]);
  setCurrentDetails(details);
}
