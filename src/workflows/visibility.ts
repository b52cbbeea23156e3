import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import type { Range } from './range.ts';
import { PARTITION, RUN_KIND, SOURCE, STAGE } from './search-attributes.ts';

/** Stages of a pipeline, in order. */
export type Stage = 'ingest' | 'plan' | 'validate' | 'process' | 'settle' | 'materialize' | 'done';

/** Makes a run findable in Temporal's list, and tells in its page what it does. */
export function tag(
  run: { source: string; kind: 'ingest' | 'pipeline'; stage: Stage; range?: Range },
  details: string,
): void {
  upsertSearchAttributes([
    { key: SOURCE, value: run.source },
    { key: RUN_KIND, value: run.kind },
    { key: STAGE, value: run.stage },
    ...(run.range ? [{ key: PARTITION, value: `${run.range.from}/${run.range.to}` }] : []),
  ]);
  setCurrentDetails(details);
}

/** Makes an entity findable: the `source` of a name, the `committer` of a table. */
export function tagEntity(kind: 'source' | 'committer', source?: string): void {
  upsertSearchAttributes([
    { key: RUN_KIND, value: kind },
    ...(source === undefined ? [] : [{ key: SOURCE, value: source }]),
  ]);
}

/** Moves a run to its next stage. */
export function enterStage(stage: Stage, details: string): void {
  upsertSearchAttributes([{ key: STAGE, value: stage }]);
  setCurrentDetails(details);
}
