// One builder per workflow id: an id comes from the logical step, so that the same step is the same workflow.

/** Task queue of every Cupel worker. */
export const TASK_QUEUE = 'cupel';

/** Entity of a source: who holds which range. */
export const sourceId = (source: string): string => `source/${source}`;

/** One poll of one feed. */
export const ingestId = (source: string, feed: string, nominalTime: string): string =>
  `ingest/${source}/${feed}/${nominalTime}`;

/** One run over a range. */
export const pipelineId = (source: string, from: string, to: string): string => `pipeline/${source}/${from}/${to}`;

/** Entity that owns the commits of a table. */
export const committerId = (table: string): string => `committer/${table}`;
