import { setTimeout as delay } from 'node:timers/promises';
import { cupelError } from '../../src/errors.ts';
import { aggregateMetrics, JobState, PortableRunner } from '../sdk.ts';
import { ContainerRunner } from './container.ts';
import type { JobRunner, Pipeline } from './runner.ts';

/** Milliseconds between two looks at a job. The SDK's own waiting backs off to 10 s, and would see the end that much later. */
const POLL_MS = 50;

/** Messages of a failed job that its error repeats. */
const MESSAGES = 5;

/** The least importance that a message of a failure has. */
const JOB_MESSAGE_ERROR = 5;

/** Where and as what a job runs. */
export interface PortableOptions {
  /** Job service of the runner: `host:port`, gRPC in plain text. */
  jobEndpoint: string;
  /** Name of the job, as the runner shows it. */
  jobName?: string;
  /** More pipeline options of the SDK, by their names in camel case. Where `environmentType` is not given, the steps run in this process. */
  options?: Record<string, unknown>;
  /** Image that the steps run in. Default: none, as `environmentType` says. */
  image?: string;
}

/** A job of a portable runner. */
export interface PortableJob {
  /** Id of the runner. */
  id: string;
  /** The state as Beam names it: `RUNNING`, `DONE`, … @throws CupelError CUP_BEAM_SERVICE_FAILED */
  state(): Promise<string>;
  /** Cancels the job. */
  cancel(): Promise<void>;
  /** The sums of its counters, by name; final when it has ended. */
  counters(): Promise<Record<string, number>>;
  /** Waits for its end. @throws CupelError CUP_BEAM_JOB_FAILED when it ends in any state but DONE */
  done(): Promise<void>;
}

/** A runner that hands its pipelines to a job service. */
export interface PortableJobRunner extends JobRunner {
  /** Hands a pipeline in, and waits for nothing more than that it was taken. @throws CupelError CUP_BEAM_SERVICE_FAILED */
  start(pipeline: Pipeline): Promise<PortableJob>;
}

type SdkRunner = InstanceType<typeof PortableRunner>;
type SdkJob = Awaited<ReturnType<SdkRunner['runPipelineWithProto']>>;

const TERMINAL = new Set(['DONE', 'FAILED', 'CANCELLED', 'UPDATED', 'DRAINED']);

/** What the job service says of failures, the last of it. */
async function failuresOf(runner: SdkRunner, jobId: string): Promise<{ texts: string[]; stop: () => void }> {
  const abort = new AbortController();
  const texts: string[] = [];
  const { responses } = (await runner.getClient()).getMessageStream({ jobId }, { abort: abort.signal });
  responses.onMessage(({ response }) => {
    if (response.oneofKind !== 'messageResponse') return;
    const { importance, messageText } = response.messageResponse;
    if (importance < JOB_MESSAGE_ERROR) return;
    texts.push(messageText);
    texts.splice(0, texts.length - MESSAGES);
  });
  responses.onError(() => undefined); // a runner without such a stream says nothing
  return { texts, stop: () => abort.abort() };
}

const COUNTER = 'beam:metric:user:sum_int64:v1';

/** Flink commits no metrics, and its attempts are those of a job that succeeded; others tell both. */
async function countersOf(runner: SdkRunner, jobId: string): Promise<Record<string, number>> {
  const { committed = [], attempted = [] } = (await runner.getJobMetrics(jobId)).metrics ?? {};
  return Object.fromEntries(aggregateMetrics(committed.length ? committed : attempted, COUNTER)) as Record<
    string,
    number
  >;
}

async function watch(runner: SdkRunner, job: SdkJob, jobEndpoint: string): Promise<PortableJob> {
  const failures = await failuresOf(runner, job.jobId);
  const state = async (): Promise<string> => {
    try {
      return JobState[(await job.getState()).state];
    } catch (cause) {
      throw cupelError('CUP_BEAM_SERVICE_FAILED', { endpoint: jobEndpoint, said: (cause as Error).message }, cause);
    }
  };
  return {
    id: job.jobId,
    state,
    cancel: () => job.cancel(),
    counters: () => countersOf(runner, job.jobId),
    async done() {
      try {
        for (;;) {
          const now = await state();
          if (now === 'DONE') return;
          if (TERMINAL.has(now))
            throw cupelError('CUP_BEAM_JOB_FAILED', { job: job.jobId, state: now, said: failures.texts.join('; ') });
          await delay(POLL_MS);
        }
      } finally {
        failures.stop();
      }
    },
  };
}

function sdkRunner({ jobEndpoint, jobName = 'kappa', options = {}, image }: PortableOptions): SdkRunner {
  const given = { jobName, ...options, jobEndpoint };
  return image ? new ContainerRunner(given, image) : new PortableRunner({ environmentType: 'LOOPBACK', ...given });
}

/** Runs pipelines by Beam's job API: on Prism, on Flink's job server, or on whatever else speaks it. */
export function portableRunner(given: PortableOptions): PortableJobRunner {
  const { jobEndpoint } = given;
  const start = async (pipeline: Pipeline): Promise<PortableJob> => {
    const runner = sdkRunner(given);
    try {
      const job = (await runner.runAsync(pipeline as Parameters<SdkRunner['runAsync']>[0])) as SdkJob;
      return await watch(runner, job, jobEndpoint);
    } catch (cause) {
      if ((cause as Error).name !== 'RpcError') throw cause;
      throw cupelError('CUP_BEAM_SERVICE_FAILED', { endpoint: jobEndpoint, said: (cause as Error).message }, cause);
    }
  };
  return { start, run: async (pipeline) => (await start(pipeline)).done() };
}
