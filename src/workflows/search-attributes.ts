import { defineSearchAttributeKey } from '@temporalio/common';

/** Search attributes of Cupel by name and type, as the operator registers them (`cupel temporal setup`). */
export const SEARCH_ATTRIBUTES = {
  CupelSource: 'Keyword',
  CupelStage: 'Keyword',
  CupelRunKind: 'Keyword',
  /** `FROM/TO`, both in UTC. */
  CupelPartition: 'Keyword',
} as const;

/** Source of a run. */
export const SOURCE = defineSearchAttributeKey('CupelSource', 'KEYWORD');
/** Stage that a pipeline is in. */
export const STAGE = defineSearchAttributeKey('CupelStage', 'KEYWORD');
/** Kind of a run: ingest, pipeline, backfill, chunk, gold, committer, source and so on (visibility.ts). */
export const RUN_KIND = defineSearchAttributeKey('CupelRunKind', 'KEYWORD');
/** Range of a run. */
export const PARTITION = defineSearchAttributeKey('CupelPartition', 'KEYWORD');

/** Temporal's own: the time that a schedule meant, without jitter. */
export const SCHEDULED_START_TIME = defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME');
