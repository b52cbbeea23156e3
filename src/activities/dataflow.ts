import { createHash } from 'node:crypto';
import { activityInfo, CancelledFailure, Context } from '@temporalio/activity';
import { cupelError } from '../errors.ts';
import type { FailureReport } from '../lakehouse/deltas/index.ts';
import { ALREADY_EXISTS, googleCode, googleError } from '../gcp/errors.ts';
import { dataflowJobs, FAILED, SUCCEEDED } from './dataflow-jobs.ts';
import type { AwaitDataflowJob, DataflowJob, Job } from './dataflow-jobs.ts';
import { withHeartbeat } from './heartbeats.ts';
import { leaveToNextWorker, pause } from './polling.ts';
import type { ActivityResources } from './resources.ts';

/** A job to launch. Its name comes from the work; its labels say which work and which run asked. */
export interface LaunchDataflowJob {
  /** What is worked on, such as a batch id. */
  work: string;
  /** The run that asks; a later run of the same work is another launch. */
  run: string;
  namePrefix: string;
  parameters: Record<string, string>;
  /** Which template. Default `batch`. */
  template?: 'batch' | 'stream';
  /** Takes the place of the running job of the same name. Default false. */
  update?: boolean;
}

/** Label values: at most 63 of lower-case letters, digits, - and _ (Google Cloud, "Requirements for labels"). */
const label = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 40);

/** A job in one of these states takes a place of the project's quota. */
const TAKES_A_PLACE = 'ACTIVE';

/** Activities on Dataflow. Launching is short and adopts a job whose launch answer was lost; awaiting is long and heartbeats. */
export function dataflowActivities(resources: ActivityResources) {
  const { environment, dataflow, store } = resources;
  const { where, failure, look, end, metricsOf } = dataflowJobs(resources);
  const { pollIntervalMs } = environment;

  async function findJob(
    jobName: string,
    wanted: (labels: Record<string, string>, job: Job) => boolean,
  ): Promise<DataflowJob | undefined> {
    const request = { ...where, name: jobName, filter: 'ALL', view: 'JOB_VIEW_DESCRIPTION' } as const;
    try {
      for await (const job of dataflow.jobs.listJobsAsync(request, { timeout: 60_000 })) {
        if (job.id && wanted(job.labels ?? {}, job)) return { jobId: job.id, jobName };
      }
      return undefined;
    } catch (error) {
      throw googleError('Dataflow', 'listJobs', error);
    }
  }

  async function launch(
    spec: LaunchDataflowJob,
    jobName: string,
    labels: Record<string, string>,
  ): Promise<DataflowJob> {
    const { dataflowTemplate, dataflowStreamTemplate } = environment;
    const launchParameter = {
      jobName,
      containerSpecGcsPath: spec.template === 'stream' ? dataflowStreamTemplate : dataflowTemplate,
      parameters: spec.parameters,
      environment: { additionalUserLabels: labels },
      ...(spec.update ? { update: true } : {}),
    };
    const [answer] = await dataflow.templates.launchFlexTemplate({ ...where, launchParameter }, { timeout: 60_000 });
    return { jobId: answer.job?.id ?? '', jobName };
  }

  async function awaitEnd(job: AwaitDataflowJob, tell: (details: unknown) => void): Promise<Record<string, number>> {
    const { cancellationSignal } = Context.current();
    let misses = 0;
    let cancelled = false;
    for (;;) {
      const state = await look(job, misses);
      misses = state === undefined ? misses + 1 : 0;
      tell({ jobId: job.jobId, state });
      const ended = state !== undefined && (SUCCEEDED.has(state) || FAILED.has(state));
      if (ended && cancellationSignal.aborted) throw new CancelledFailure(`job ${job.jobId} ended as ${state}`);
      if (ended && SUCCEEDED.has(state)) return metricsOf(job);
      if (ended && state === 'JOB_STATE_CANCELLED') throw cupelError('CUP_DATAFLOW_JOB_CANCELLED', { job: job.jobId });
      if (ended) throw await failure(job);
      if (cancellationSignal.aborted && !cancelled) {
        leaveToNextWorker();
        await end(job, 'JOB_STATE_CANCELLED');
        cancelled = true;
      }
      // Once cancelled, pause() would return at once for ever.
      if (cancelled) await new Promise((resolve) => setTimeout(resolve, Math.min(pollIntervalMs, 5_000)));
      else await pause(pollIntervalMs);
    }
  }

  return {
    /** Partitions that a job's report names. */
    async readFailureReport({ report }: { report: string }): Promise<FailureReport['failed']> {
      return (JSON.parse((await store.read(report)).toString('utf8')) as FailureReport).failed;
    },

    /** Jobs that the project's quota has room for now, other people's jobs counted. */
    async freeDataflowJobs(): Promise<number> {
      let active = 0;
      try {
        const request = { ...where, filter: TAKES_A_PLACE, view: 'JOB_VIEW_SUMMARY' } as const;
        for await (const job of dataflow.jobs.listJobsAsync(request, { timeout: 60_000 })) active += job.id ? 1 : 0;
      } catch (error) {
        throw googleError('Dataflow', 'listJobs', error);
      }
      return Math.max(0, environment.dataflowJobQuota - active);
    },

    /**
     * Launches a Flex Template.
     *
     * @throws CupelError CUP_GOOGLE_REFUSED, CUP_GOOGLE_UNAVAILABLE
     */
    async launchDataflowJob(spec: LaunchDataflowJob): Promise<DataflowJob> {
      const work = label(spec.work);
      const run = label(`${spec.run}/${spec.work}`);
      const jobName = `${spec.namePrefix}-${work}`;
      if (activityInfo().attempt > 1) {
        const launched = await findJob(jobName, (labels) => labels['cupel-run'] === run);
        if (launched) return launched;
      }
      try {
        return await launch(spec, jobName, { 'cupel-work': work, 'cupel-run': run });
      } catch (error) {
        if (googleCode(error) !== ALREADY_EXISTS) throw googleError('Dataflow', `launch ${jobName}`, error);
        // The same work is running already, for us or for a run before: its result is the same.
        const active = (job: Job): boolean =>
          !SUCCEEDED.has(String(job.currentState)) && !FAILED.has(String(job.currentState));
        const running = await findJob(jobName, (labels, job) => labels['cupel-work'] === work && active(job));
        if (running) return running;
        throw cupelError(
          'CUP_GOOGLE_UNAVAILABLE',
          { service: 'Dataflow', request: `launch ${jobName}`, answer: 'it ended while it was looked for' },
          error,
        );
      }
    },

    /**
     * Waits for a job. Cancelling the activity cancels the job and waits until it has ended.
     *
     * @returns its user metrics by name
     * @throws CupelError CUP_PARTITIONS_FAILED or CUP_FIELDS_NEW when its report names what it failed for, else CUP_DATAFLOW_JOB_FAILED with its
     *   last errors; CUP_DATAFLOW_JOB_CANCELLED; CUP_DATAFLOW_JOB_LOST when nobody knows it any more
     */
    awaitDataflowJob: (job: AwaitDataflowJob): Promise<Record<string, number>> =>
      withHeartbeat((tell) => awaitEnd(job, tell)),
  };
}
