import type { EventType, Parentage } from '../../lineage/types.ts';

/** A moment of a workflow's run, as the workflow tells it. */
export interface WorkflowRun {
  type: EventType;
  /** Milliseconds since 1970, by Temporal's clock. */
  at: number;
  /** Temporal's own run id: a UUID. */
  runId: string;
  job: string;
  /** Workflows that go on until somebody ends them. */
  service: boolean;
  /** The range, day or schedule time that it stands for. */
  nominal?: { start: string; end?: string };
  parentage?: Parentage;
  failure?: string;
}

/** Input of any workflow, as far as lineage reads it. */
interface AnyInput {
  source?: string;
  feed?: string;
  table?: string;
  name?: string;
  date?: string;
  nominalTime?: string;
  from?: string;
  to?: string;
}

/** Workflows that move data, and what their jobs are called. Others keep house, and are no lineage. */
const JOBS: Record<string, (input: AnyInput) => string> = {
  ingest: ({ source, feed }) => `ingest.${source}.${feed}`,
  pipeline: ({ source }) => `pipeline.${source}`,
  backfill: ({ source }) => `backfill.${source}`,
  backfillChunk: ({ source }) => `backfill.${source}.chunk`,
  redrive: ({ source }) => `redrive.${source}`,
  rebuild: ({ source }) => `rebuild.${source}`,
  stream: ({ source }) => `stream.${source}`,
  committer: ({ table }) => `committer.${table}`,
  nightlyGold: () => 'gold',
  fileArrival: ({ name }) => `file.${name?.split('/', 1)[0]}`,
};

const SERVICES = new Set(['committer', 'stream']);

/** Activities whose runs are told: the workflow hands them what they are part of. */
export const TOLD_ACTIVITIES: ReadonlySet<string> = new Set([
  'awaitDataflowJob',
  'awaitDataform',
  'commitBatches',
  'followStream',
  'landFile',
  'launchDataflowJob',
  'mergeIntoAudit',
  'pollFeed',
  'prepareRedrive',
  'rebuildTable',
  'resolveContract',
]);

/** A time of an input as ISO 8601; undefined for what is none, since an input may hold anything. */
function timeOf(text: string | undefined): string | undefined {
  const time = text === undefined ? NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
}

function nominalOf({ nominalTime, date, from, to }: AnyInput): WorkflowRun['nominal'] {
  const start = timeOf(nominalTime ?? date ?? from);
  const end = timeOf(to);
  return start === undefined ? undefined : { start, ...(end === undefined ? {} : { end }) };
}

/** What lineage knows of a workflow from its type and its input; undefined of one that moves no data. */
export function workflowJob(
  type: string,
  input: unknown,
): Pick<WorkflowRun, 'job' | 'service' | 'nominal'> | undefined {
  const nameOf = Object.hasOwn(JOBS, type) ? JOBS[type] : undefined;
  if (!nameOf || typeof input !== 'object' || input === null) return undefined;
  const nominal = nominalOf(input);
  return { job: nameOf(input), service: SERVICES.has(type), ...(nominal ? { nominal } : {}) };
}
