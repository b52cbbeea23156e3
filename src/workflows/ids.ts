// One builder per workflow id: an id comes from the logical step, so that the same step is the same workflow.

/** Task queue of every Cupel worker. */
export const TASK_QUEUE = 'cupel';

/** Task queue of backfills: they have their own workers or slots, so that they never starve a nightly run. */
export const BACKFILL_TASK_QUEUE = 'cupel-backfill';

/** Entity of a source: who holds which range. */
export const sourceId = (source: string): string => `source/${source}`;

/** One poll of one feed. */
export const ingestId = (source: string, feed: string, nominalTime: string): string =>
  `ingest/${source}/${feed}/${nominalTime}`;

/** One run over a range. */
export const pipelineId = (source: string, from: string, to: string): string => `pipeline/${source}/${from}/${to}`;

/** Entity that owns the commits of a table. */
export const committerId = (table: string): string => `committer/${table}`;

/** A backfill over a range; the same range of a source is the same backfill. */
export const backfillId = (source: string, from: string, to: string): string => `backfill/${source}/${from}/${to}`;

/** One chunk of a backfill, named by its first partition. */
export const chunkId = (backfill: string, firstPartition: string): string => `${backfill}/${firstPartition}`;

/** Gold of a day. */
export const goldId = (date: string): string => `gold/${date}`;

/** Entity that hands out Gold's turn: there is one. */
export const goldTurnsId = (): string => 'gold-turns';

/** Upkeep of a source's table on a day. */
export const maintainId = (source: string, date: string): string => `maintain/${source}/${date}`;

/** What takes a source's refused records again; one that only counts runs beside it. */
export const redriveId = (source: string, dryRun = false): string => `redrive/${source}${dryRun ? '/dry-run' : ''}`;

/** Entity that keeps a source's streaming job alive. */
export const streamId = (source: string): string => `stream/${source}`;

/** What makes a source's table anew. */
export const rebuildId = (source: string): string => `rebuild/${source}`;

/** What compares a source's table with what Bronze gives. */
export const parityId = (source: string): string => `parity/${source}`;

/** Reconciliation of a range of a source. */
export const reconcileId = (source: string, from: string, to: string): string => `reconcile/${source}/${from}/${to}`;

/** A tick that was asked for through the topic `cupel-control`; the schedules' own are named by them. */
export const controlTickId = (tick: { kind: string; source?: string; feed?: string; nominalTime: string }): string =>
  `tick/control/${[tick.kind, tick.source, tick.feed].filter(Boolean).join('/')}-${tick.nominalTime}`;

/** One file of the inbox, by its object's name and generation; `name` is cut by who asks where Temporal's 1,000 bytes are too few. */
export const fileArrivalId = (file: { bucket: string; name: string; generation: string }): string =>
  `file/${file.bucket}/${file.name}/${file.generation}`;

/** One look whether anything stands still. */
export const monitorId = (nominalTime: string): string => `monitor/${nominalTime}`;
