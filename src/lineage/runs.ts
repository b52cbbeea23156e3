import { facets, JOB_EVENT, PRODUCER, RUN_EVENT, VERSION } from './facets.ts';
import type {
  EventType,
  Facets,
  InputDataset,
  Job,
  JobEvent,
  OutputDataset,
  Parentage,
  RunEvent,
  RunReference,
} from './types.ts';

/** What a job is, and what a run of it reads and writes; nothing of when, and of which run. */
export interface Work {
  /** Name of the job in our namespace, by dots: `kappa.earthquakes`. */
  job: string;
  /** Default `BATCH`. */
  processing?: 'BATCH' | 'STREAMING' | 'SERVICE';
  /** Whose kind of job it is. Default: ours. */
  integration?: 'CUPEL' | 'DATAFLOW' | 'DATAFORM' | 'PUBSUB' | 'TEMPORAL';
  /** `JOB`, `TASK`, `QUERY`, `WORKFLOW`, … */
  type: string;
  /** What does the work. Default: Cupel itself. */
  engine?: { name: string; version: string };
  /** The time of the schedule, or the range, that the run stands for: ISO 8601. */
  nominal?: { start: string; end?: string };
  /** SQL of BigQuery. */
  sql?: string;
  /** Job of BigQuery, `<project>:<location>.<id>` or its id. */
  bigqueryJob?: string;
  inputs: InputDataset[];
  outputs: OutputDataset[];
}

/** A moment of a run. */
export interface Moment {
  /** UUID. */
  runId: string;
  type: EventType;
  /** Milliseconds since 1970. */
  at: number;
  parentage?: Parentage | undefined;
  /** Of a run that failed or was stopped: why, without payload values. */
  failure?: string | undefined;
}

function jobOf(namespace: string, { job, processing = 'BATCH', integration = 'CUPEL', type, sql }: Work): Job {
  return {
    namespace,
    name: job,
    facets: facets({
      jobType: { processingType: processing, integration, jobType: type },
      sql: sql === undefined ? undefined : { query: sql, dialect: 'bigquery' },
    }),
  };
}

function parentOf(namespace: string, { parent, root }: Parentage): Record<string, unknown> {
  const named = ({ runId, job }: RunReference) => ({ run: { runId }, job: { namespace, name: job } });
  return { ...named(parent), root: named(root) };
}

function runFacets(namespace: string, work: Work, { parentage, failure }: Moment): Facets {
  const { engine = { name: 'Cupel', version: VERSION }, nominal, bigqueryJob } = work;
  return facets({
    parent: parentage && parentOf(namespace, parentage),
    processing_engine: { ...engine, openlineageAdapterVersion: VERSION },
    nominalTime: nominal && {
      nominalStartTime: nominal.start,
      ...(nominal.end === undefined ? {} : { nominalEndTime: nominal.end }),
    },
    externalQuery: bigqueryJob ? { externalQueryId: bigqueryJob, source: 'bigquery' } : undefined,
    errorMessage: failure === undefined ? undefined : { message: failure, programmingLanguage: 'TypeScript' },
  });
}

/** The event of a moment of a run. */
export function runEvent(namespace: string, work: Work, moment: Moment): RunEvent {
  return {
    eventType: moment.type,
    eventTime: new Date(moment.at).toISOString(),
    producer: PRODUCER,
    schemaURL: RUN_EVENT,
    run: { runId: moment.runId, facets: runFacets(namespace, work, moment) },
    job: jobOf(namespace, work),
    inputs: work.inputs,
    outputs: work.outputs,
  };
}

/** The event that tells of a job which no run of ours does. */
export function jobEvent(namespace: string, work: Work, at: number): JobEvent {
  return {
    eventTime: new Date(at).toISOString(),
    producer: PRODUCER,
    schemaURL: JOB_EVENT,
    job: jobOf(namespace, work),
    inputs: work.inputs,
    outputs: work.outputs,
  };
}
