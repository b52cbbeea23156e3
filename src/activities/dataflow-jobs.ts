import type { protos } from '@google-cloud/dataflow';
import { cupelError } from '../errors.ts';
import type { FailureReport } from '../lakehouse/deltas/index.ts';
import { FAILED_PRECONDITION, googleCode, googleError, isTransient, NOT_FOUND } from '../gcp/errors.ts';
import { MAX_MISSES } from './polling.ts';
import type { ActivityResources } from './resources.ts';

/** A launched job. */
export interface DataflowJob {
  jobId: string;
  jobName: string;
}

/** A job to wait for. */
export interface AwaitDataflowJob extends DataflowJob {
  /** `gs://…` where the job says which partitions it failed for. Default: it says so nowhere. */
  report?: string;
}

/** A job as Dataflow's API has it. */
export type Job = protos.google.dataflow.v1beta3.IJob;

/** States of a job that did all that it was to do. */
export const SUCCEEDED: ReadonlySet<string> = new Set(['JOB_STATE_DONE', 'JOB_STATE_DRAINED', 'JOB_STATE_UPDATED']);

/** States of a job that ended otherwise. */
export const FAILED: ReadonlySet<string> = new Set(['JOB_STATE_FAILED', 'JOB_STATE_CANCELLED']);

/** What activities ask of a job that was launched. */
export function dataflowJobs({ environment, dataflow, store }: ActivityResources) {
  const where = { projectId: environment.project, location: environment.region };

  async function errorsOf(job: DataflowJob): Promise<string> {
    const texts: string[] = [];
    const request = { ...where, jobId: job.jobId, minimumImportance: 'JOB_MESSAGE_ERROR' } as const;
    for await (const message of dataflow.messages.listJobMessagesAsync(request, { timeout: 60_000 }))
      texts.push(message.messageText ?? '');
    return texts.slice(-3).join(' | ');
  }

  /** Why a job failed: for the partitions that its report names, else as a whole. */
  async function failure(job: AwaitDataflowJob): Promise<Error> {
    const report = job.report ? await store.readIfExists(job.report) : undefined;
    const details = { job: job.jobId, errors: await errorsOf(job) };
    if (!report) return cupelError('CUP_DATAFLOW_JOB_FAILED', details);
    const { failed, newFields } = JSON.parse(report.toString('utf8')) as FailureReport;
    if (newFields)
      return cupelError('CUP_FIELDS_NEW', { job: job.jobId, fields: newFields.length, report: job.report });
    return cupelError('CUP_PARTITIONS_FAILED', { job: job.jobId, partitions: failed.length, report: job.report });
  }

  /** The job's state; undefined where it cannot be told now. */
  async function look(job: DataflowJob, misses: number): Promise<string | undefined> {
    try {
      const [found] = await dataflow.jobs.getJob(
        { ...where, jobId: job.jobId, view: 'JOB_VIEW_SUMMARY' },
        { timeout: 60_000 },
      );
      return String(found.currentState);
    } catch (error) {
      // A failure to look is no failure of the job; a new job may not be found at once.
      const passing = isTransient(error) || googleCode(error) === NOT_FOUND;
      if (passing && misses < MAX_MISSES) return undefined;
      if (googleCode(error) === NOT_FOUND) throw cupelError('CUP_DATAFLOW_JOB_LOST', { job: job.jobId }, error);
      throw googleError('Dataflow', `getJob ${job.jobId}`, error);
    }
  }

  /** Asks for the end of a job; one that has ended already is no error. A drained one finishes what it has begun. */
  async function end(job: DataflowJob, requestedState: 'JOB_STATE_CANCELLED' | 'JOB_STATE_DRAINED'): Promise<void> {
    try {
      await dataflow.jobs.updateJob({ ...where, jobId: job.jobId, job: { requestedState } }, { timeout: 60_000 });
    } catch (error) {
      if (googleCode(error) !== FAILED_PRECONDITION) throw googleError('Dataflow', `updateJob ${job.jobId}`, error); // it has ended
    }
  }

  /** Messages that a streaming job dropped since they came too late: the promise is that there are none. */
  async function droppedAsLate(job: DataflowJob): Promise<number> {
    const [{ metrics }] = await dataflow.metrics.getJobMetrics({ ...where, jobId: job.jobId }, { timeout: 60_000 });
    const late = (metrics ?? []).filter(({ name }) => name?.name === 'droppedDueToLateness');
    return late.reduce((sum, { scalar }) => sum + Number(scalar?.numberValue ?? 0), 0);
  }

  /** User metrics by name. */
  async function metricsOf(job: DataflowJob): Promise<Record<string, number>> {
    const [{ metrics }] = await dataflow.metrics.getJobMetrics({ ...where, jobId: job.jobId }, { timeout: 60_000 });
    const user = (metrics ?? []).filter(({ name }) => name?.origin === 'user');
    return Object.fromEntries(user.map(({ name, scalar }) => [name?.name ?? '', Number(scalar?.numberValue ?? 0)]));
  }

  return { where, failure, look, end, metricsOf, droppedAsLate };
}
