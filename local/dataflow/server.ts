import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import grpc from '@grpc/grpc-js';
import { faultInjector } from '../faults.ts';
import type { Faults } from '../faults.ts';
import { GrpcError, loadProtos, serveGrpc, serviceOf, timestamp, unary } from '../grpc.ts';
import { errorId, Job } from './job.ts';
import type { JobCommand } from './job.ts';
import { checkParameters } from './template.ts';
import type { ContainerSpec } from './template.ts';

/** What the Dataflow server needs. */
export interface DataflowOptions {
  port?: number;
  /** Reads a template's spec by its gs:// path. */
  readTemplate(gcsPath: string): Promise<string>;
  /** The command that runs an image with these parameters. */
  commandFor(image: string, parameters: Record<string, string>): JobCommand;
  /** Output of each job, `<job id>.log`. */
  logDirectory: string;
}

/** A running Dataflow server. */
export interface DataflowServer {
  endpoint: string;
  faults: Faults;
  stop(): Promise<void>;
}

interface LaunchRequest {
  projectId: string;
  location: string;
  validateOnly?: boolean;
  launchParameter?: {
    jobName?: string;
    containerSpecGcsPath?: string;
    parameters?: Record<string, string>;
    environment?: { additionalUserLabels?: Record<string, string> };
    update?: boolean;
  };
}

interface JobRequest {
  projectId: string;
  location: string;
  jobId: string;
  view?: string;
}

interface ListRequest {
  projectId: string;
  location: string;
  name?: string;
  filter?: string;
  view?: string;
}

const JOB_NAME = /^[a-z]([-a-z0-9]{0,1022}[a-z0-9])?$/;

const refuse = (code: grpc.status, text: string): GrpcError => new GrpcError(code, `(${errorId()}): ${text}`);

/** Jobs by id. */
class Jobs {
  readonly #options: DataflowOptions;
  readonly #jobs = new Map<string, Job>();

  constructor(options: DataflowOptions) {
    this.#options = options;
  }

  async launch({ projectId, location, launchParameter = {}, validateOnly }: LaunchRequest): Promise<object> {
    const { jobName = '', containerSpecGcsPath = '', parameters = {}, environment } = launchParameter;
    if (!JOB_NAME.test(jobName))
      throw refuse(
        grpc.status.INVALID_ARGUMENT,
        `The workflow could not be created. Causes: Job name '${jobName}' is invalid`,
      );
    const spec = await this.#template(containerSpecGcsPath);
    checkParameters(spec, parameters, errorId());
    const same = this.list({ projectId, location, name: jobName, filter: 'ACTIVE' });
    if (same.length) {
      const text = `There is already an active job named ${jobName}. If you want to  submit a second job, try again by setting a different name.`;
      throw refuse(grpc.status.ALREADY_EXISTS, text);
    }
    if (validateOnly) return { job: {} };
    const type = spec.metadata?.streaming ? 'JOB_TYPE_STREAMING' : 'JOB_TYPE_BATCH';
    const labels = environment?.additionalUserLabels ?? {};
    const job = this.#create({ projectId, location, name: jobName, type, labels });
    job.start(this.#options.commandFor(spec.image, parameters));
    return { job: job.view('JOB_VIEW_DESCRIPTION') };
  }

  get({ projectId, location, jobId }: JobRequest): Job {
    const job = this.#jobs.get(jobId);
    if (job?.description.projectId !== projectId || job.description.location !== location) {
      throw refuse(
        grpc.status.NOT_FOUND,
        `Information about job ${jobId} could not be found in our system. Please double check the id is correct.`,
      );
    }
    return job;
  }

  list({ projectId, location, name, filter }: ListRequest): Job[] {
    const wanted = (job: Job): boolean => {
      if (filter === 'ACTIVE') return job.active;
      return filter === 'TERMINATED' ? !job.active : true;
    };
    const here = [...this.#jobs.values()].filter(
      ({ description }) => description.projectId === projectId && description.location === location,
    );
    return here.filter((job) => (!name || job.description.name === name) && wanted(job)).reverse();
  }

  update(request: JobRequest & { job?: { requestedState?: string } }): object {
    const job = this.get(request);
    const wanted = request.job?.requestedState;
    if (!job.active) {
      throw refuse(
        grpc.status.FAILED_PRECONDITION,
        `Could not modify workflow; it is already in a terminal state ${job.state}`,
      );
    }
    if (wanted === 'JOB_STATE_CANCELLED') job.stop('JOB_STATE_CANCELLING', 'JOB_STATE_CANCELLED', 'SIGKILL');
    else if (wanted === 'JOB_STATE_DRAINED' && job.description.type === 'JOB_TYPE_STREAMING')
      job.stop('JOB_STATE_DRAINING', 'JOB_STATE_DRAINED', 'SIGTERM');
    else throw refuse(grpc.status.INVALID_ARGUMENT, `Job ${job.id} cannot be moved to ${wanted}`);
    return job.view('JOB_VIEW_SUMMARY');
  }

  stopAll(): void {
    for (const job of this.#jobs.values())
      if (job.active) job.stop('JOB_STATE_CANCELLING', 'JOB_STATE_CANCELLED', 'SIGKILL');
  }

  #create(description: Job['description']): Job {
    const job: Job = new Job(description, path.join(this.#options.logDirectory, `dataflow-${description.name}.log`));
    this.#jobs.set(job.id, job);
    return job;
  }

  async #template(gcsPath: string): Promise<ContainerSpec> {
    try {
      return JSON.parse(await this.#options.readTemplate(gcsPath)) as ContainerSpec;
    } catch (error) {
      throw refuse(
        grpc.status.INVALID_ARGUMENT,
        `Unable to open template file: ${gcsPath}. ${(error as Error).message}`,
      );
    }
  }
}

const IMPORTANCE = [
  'JOB_MESSAGE_DEBUG',
  'JOB_MESSAGE_DETAILED',
  'JOB_MESSAGE_BASIC',
  'JOB_MESSAGE_WARNING',
  'JOB_MESSAGE_ERROR',
];

/** Starts Dataflow's API on the loopback interface: a job is a child process that runs the template. */
export async function startDataflow(options: DataflowOptions): Promise<DataflowServer> {
  await mkdir(options.logDirectory, { recursive: true });
  const protos = loadProtos('@google-cloud/dataflow/build/protos/protos.json');
  const jobs = new Jobs(options);
  const faults = faultInjector();
  const service = (name: string) => serviceOf(protos, `google.dataflow.v1beta3.${name}`);
  const server = await serveGrpc(
    [
      {
        definition: service('FlexTemplatesService'),
        handlers: {
          launchFlexTemplate: unary(
            faults.wrap('launchFlexTemplate', (request: LaunchRequest) => jobs.launch(request)),
          ),
        },
      },
      {
        definition: service('JobsV1Beta3'),
        handlers: {
          getJob: unary(faults.wrap('getJob', (request: JobRequest) => jobs.get(request).view(request.view))),
          listJobs: unary(
            faults.wrap('listJobs', (request: ListRequest) => ({
              jobs: jobs.list(request).map((job) => job.view(request.view)),
            })),
          ),
          updateJob: unary(faults.wrap('updateJob', (request: JobRequest) => jobs.update(request))),
        },
      },
      {
        definition: service('MessagesV1Beta3'),
        handlers: {
          listJobMessages: unary((request: JobRequest & { minimumImportance?: string }) => {
            const least = IMPORTANCE.indexOf(request.minimumImportance ?? '');
            return {
              jobMessages: jobs
                .get(request)
                .messages.filter((message) => IMPORTANCE.indexOf(message.messageImportance) >= least),
            };
          }),
        },
      },
      {
        definition: service('MetricsV1Beta3'),
        handlers: {
          getJobMetrics: unary((request: JobRequest) => ({
            metricTime: timestamp(),
            metrics: jobs.get(request).metrics,
          })),
        },
      },
    ],
    options.port ?? 0,
  );
  return {
    endpoint: `127.0.0.1:${server.port}`,
    faults,
    async stop() {
      jobs.stopAll();
      await server.stop();
    },
  };
}
