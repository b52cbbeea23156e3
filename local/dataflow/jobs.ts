import path from 'node:path';
import grpc from '@grpc/grpc-js';
import { GrpcError } from '../grpc.ts';
import { errorId, Job } from './job.ts';
import { JobJournal } from './job-journal.ts';
import type { JobCommand, JobMessage } from './job-types.ts';
import { pageOf } from './pages.ts';
import { checkParameters } from './template.ts';
import type { ContainerSpec } from './template.ts';

/** How templates are read and run. */
export interface JobOptions {
  /** Reads a template's spec by its gs:// path. */
  readTemplate(gcsPath: string): Promise<string>;
  /** The command that runs an image with these parameters. */
  commandFor(image: string, parameters: Record<string, string>, job: { jobId: string; jobName: string }): JobCommand;
  /** Output of jobs, `dataflow-<job name>.log`. */
  logDirectory: string;
  /** Told when a job has a process, and (undefined) when that is gone. Default: nobody is told. */
  onProcess?(jobId: string, pid: number | undefined): void;
  /** Folder in which jobs outlive the server. Default: they live in memory. */
  stateDirectory?: string;
}

/** LaunchFlexTemplateRequest, the part that is honoured. */
export interface LaunchRequest {
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

/** A request that is about one job. */
export interface JobRequest {
  projectId: string;
  location: string;
  jobId: string;
  view?: string;
}

interface Page {
  pageSize?: number;
  pageToken?: string;
}

/** ListJobsRequest. */
export interface ListRequest extends Page {
  projectId: string;
  location: string;
  name?: string;
  filter?: string;
  view?: string;
}

/** ListJobMessagesRequest, without its times. */
export interface MessagesRequest extends JobRequest, Page {
  minimumImportance?: string;
}

const JOB_NAME = /^[a-z]([-a-z0-9]{0,1022}[a-z0-9])?$/;

/** From the least important on. */
const IMPORTANCE = [
  'JOB_MESSAGE_DEBUG',
  'JOB_MESSAGE_DETAILED',
  'JOB_MESSAGE_BASIC',
  'JOB_MESSAGE_WARNING',
  'JOB_MESSAGE_ERROR',
];

const refuse = (code: grpc.status, text: string): GrpcError => new GrpcError(code, `(${errorId()}): ${text}`);

/** Jobs by id, and what the API does with them. Every method throws GrpcError where Dataflow answers with an error. */
export class Jobs {
  readonly #options: JobOptions;
  readonly #journal: JobJournal;
  readonly #jobs = new Map<string, Job>();
  #closed = false;

  constructor(options: JobOptions) {
    this.#options = options;
    this.#journal = new JobJournal(options.stateDirectory);
    for (const record of this.#journal.read()) {
      const job = Job.restore(record, this.#journal, this.#logFile(record.description.name));
      this.#jobs.set(job.id, job);
    }
  }

  async launch({ projectId, location, launchParameter = {}, validateOnly }: LaunchRequest): Promise<object> {
    const { jobName = '', containerSpecGcsPath = '', parameters = {}, environment, update } = launchParameter;
    if (!JOB_NAME.test(jobName)) {
      const text = `The workflow could not be created. Causes: Job name '${jobName}' is invalid`;
      throw refuse(grpc.status.INVALID_ARGUMENT, text);
    }
    const spec = await this.#template(containerSpecGcsPath);
    if (this.#closed) throw refuse(grpc.status.UNAVAILABLE, 'The service is going away');
    checkParameters(spec, parameters, errorId());
    const old = this.#running({ projectId, location, name: jobName }, update ?? false);
    if (validateOnly) return { job: {} };
    const type = spec.metadata?.streaming ? 'JOB_TYPE_STREAMING' : 'JOB_TYPE_BATCH';
    const labels = environment?.additionalUserLabels ?? {};
    const replaces = old ? { replaceJobId: old.id } : {};
    const job = this.#create({ projectId, location, name: jobName, type, labels, ...replaces });
    const command = (): JobCommand => this.#options.commandFor(spec.image, parameters, { jobId: job.id, jobName });
    const answer = { job: job.view('JOB_VIEW_DESCRIPTION') };
    const start = (): void => job.start(command, (pid) => this.#options.onProcess?.(job.id, pid));
    if (!old) start();
    else {
      // Two at once would read the same stream: the new one waits until the old one is gone.
      old.replace(job.id);
      void old.over.then(start);
    }
    return answer;
  }

  get({ projectId, location, jobId }: JobRequest): Job {
    const job = this.#jobs.get(jobId);
    if (job?.description.projectId !== projectId || job.description.location !== location) {
      const text = `Information about job ${jobId} could not be found in our system. Please double check the id is correct.`;
      throw refuse(grpc.status.NOT_FOUND, text);
    }
    return job;
  }

  /** Newest first. */
  list(request: ListRequest): object {
    const { items, ...more } = pageOf(this.#select(request), request);
    return { jobs: items.map((job) => job.view(request.view)), ...more };
  }

  update(request: JobRequest & { job?: { requestedState?: string } }): object {
    const job = this.get(request);
    const wanted = request.job?.requestedState;
    if (!job.active) {
      const text = `Could not modify workflow; it is already in a terminal state ${job.state}`;
      throw refuse(grpc.status.FAILED_PRECONDITION, text);
    }
    const streaming = job.description.type === 'JOB_TYPE_STREAMING';
    if (wanted === 'JOB_STATE_CANCELLED') job.cancel();
    else if (wanted === 'JOB_STATE_DRAINED' && streaming) job.drain();
    else throw refuse(grpc.status.INVALID_ARGUMENT, `Job ${job.id} cannot be moved to ${wanted}`);
    return job.view('JOB_VIEW_SUMMARY');
  }

  /** Oldest first. */
  messages(request: MessagesRequest): object {
    const least = IMPORTANCE.indexOf(request.minimumImportance ?? '');
    const wanted = ({ messageImportance }: JobMessage) => IMPORTANCE.indexOf(messageImportance) >= least;
    const { items, ...more } = pageOf(this.get(request).messages.filter(wanted), request);
    return { jobMessages: items, ...more };
  }

  /** Launches no job any more, ends every job and waits until their processes are gone. */
  async stopAll(): Promise<void> {
    this.#closed = true;
    this.#journal.close(); // our own stop is no end of theirs: for the next start they were lost
    const active = [...this.#jobs.values()].filter((job) => job.active);
    for (const job of active) job.kill();
    await Promise.all(active.map((job) => job.over));
  }

  #select({ projectId, location, name, filter }: ListRequest): Job[] {
    const wanted = ({ description, active }: Job): boolean => {
      if (description.projectId !== projectId || description.location !== location) return false;
      if (name && description.name !== name) return false;
      if (filter === 'ACTIVE') return active;
      return filter === 'TERMINATED' ? !active : true;
    };
    return [...this.#jobs.values()].filter(wanted).reverse();
  }

  /** The active job of a name: none may be there for a launch, one must be there for an update. */
  #running(where: { projectId: string; location: string; name: string }, update: boolean): Job | undefined {
    const [running] = this.#select({ ...where, filter: 'ACTIVE' });
    if (running && !update) {
      const text = `There is already an active job named ${where.name}. If you want to  submit a second job, try again by setting a different name.`;
      throw refuse(grpc.status.ALREADY_EXISTS, text);
    }
    if (update && running?.description.type !== 'JOB_TYPE_STREAMING') {
      const text = `The workflow could not be updated. Causes: there is no active streaming job named ${where.name}`;
      throw refuse(grpc.status.FAILED_PRECONDITION, text);
    }
    return running;
  }

  #create(description: Job['description']): Job {
    const job = Job.create(description, this.#journal, this.#logFile(description.name));
    this.#jobs.set(job.id, job);
    return job;
  }

  #logFile(jobName: string): string {
    return path.join(this.#options.logDirectory, `dataflow-${jobName}.log`);
  }

  async #template(gcsPath: string): Promise<ContainerSpec> {
    try {
      return JSON.parse(await this.#options.readTemplate(gcsPath)) as ContainerSpec;
    } catch (error) {
      const text = `Unable to open template file: ${gcsPath}. ${(error as Error).message}`;
      // A template that is not there, or is none, stays so; storage that does not answer comes back.
      const stays = error instanceof SyntaxError || (error as { code?: unknown }).code === 'CUP_OBJECT_NOT_FOUND';
      throw refuse(stays ? grpc.status.INVALID_ARGUMENT : grpc.status.UNAVAILABLE, text);
    }
  }
}
