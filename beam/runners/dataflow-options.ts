import { cupelError } from '../../src/errors.ts';
import { JOB_ENVIRONMENT, jobEnvironment } from './job-environment.ts';
import type { JobPlaces } from './job-environment.ts';

/** What a pipeline option of Beam may hold. */
export type OptionValue = string | number | boolean | string[] | Record<string, string>;

/**
 * Options of a job on Dataflow: those of Beam's Python runner, which submits it, in camel case. The ones that Cupel needs or
 * advises on are named here; every other one is passed on as it is.
 */
export interface DataflowOptions {
  [other: string]: OptionValue | undefined;
  /** Project that runs and pays. Default: that of the environment (`CUPEL_PROJECT`). */
  project: string;
  /** Region of the job: that of the buckets, since traffic between regions costs. Default: `CUPEL_REGION`. */
  region: string;
  /** Folder that Dataflow's shuffle and sinks may use, `gs://…`. Default: `gs://<ops>/dataflow/temp`, since Cupel's jobs have no bucket of their own. */
  tempLocation: string;
  /** Folder that the graph is staged to, `gs://…`. Default: `gs://<ops>/dataflow/staging`. */
  stagingLocation: string;
  /**
   * Image of the workers: beam/deploy/Dockerfile as it was pushed. Default: `CUPEL_IMAGE`, which the image knows of itself, so
   * that a template's workers run the code that its launcher ran. Required: Beam's own image has the SDK without our fixes.
   */
  sdkContainerImage: string;
  /** Name of the job, `[a-z]([-a-z0-9]{0,1022}[a-z0-9])?`. Default: Beam's, of the user and the time. A template's launch gives it. */
  jobName?: string;
  /** Where to write the job instead of submitting it. Only Dataflow's launcher sets it: it submits what it finds there. */
  templateLocation?: string;
  /** Account of the workers; it needs the buckets and the role Dataflow Worker. Default: Compute Engine's, which can do too much. */
  serviceAccountEmail?: string;
  /** VPC network by name. Default: `default`, which many projects have removed. */
  network?: string;
  /** `regions/<region>/subnetworks/<name>`, or the full URL for a shared VPC. Default: the network's own in the region. */
  subnetwork?: string;
  /** false: workers without public addresses; the subnetwork then needs Private Google Access. Default: Dataflow's, true. */
  usePublicIps?: boolean;
  /** Workers at the start. Default: Dataflow chooses; a chunk of 256 MiB keeps one or two busy. */
  numWorkers?: number;
  /** Most workers. Default: Dataflow's; the bound of what a job can cost. */
  maxNumWorkers?: number;
  /** Machine type of the workers, by Beam's name of the option. Default: Dataflow's. A worker has one SDK process per core, so ask for 2 GB per core or more. */
  machineType?: string;
  /** GB of each worker's disk. Default: Dataflow's. Rows are in memory and in Cloud Storage: the least will do. */
  diskSizeGb?: number;
  /** `key=value`. Default: none; a template's launch gives the label that Cupel finds its job by. */
  labels?: string[];
  /** Experiments; {@link EXPERIMENTS} are added to them. */
  experiments?: string[];
  /** Options of the service, such as `enable_prime`. */
  dataflowServiceOptions?: string[];
  /** Address of the Dataflow API. Default: Google's. */
  dataflowEndpoint?: string;
}

/**
 * Experiments of every job. The container starts one SDK process per core, as the SDK's own runner asks for too: the harness of
 * TypeScript runs its bundles in one thread. Runner v2 is what Beam's Python runner asks for by itself.
 */
export const EXPERIMENTS = ['use_sibling_sdk_workers'];

const camelCase = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

function parsed(json: string): Record<string, OptionValue> {
  const expected = 'a JSON object of options, such as {"maxNumWorkers": 2}';
  try {
    const options: unknown = JSON.parse(json);
    if (typeof options === 'object' && options !== null && !Array.isArray(options))
      return options as Record<string, OptionValue>;
  } catch {
    // told below
  }
  throw cupelError('CUP_REQUEST_INVALID', { option: '--pipelineOptions', expected });
}

function checkFolder(name: string, uri: unknown): void {
  if (typeof uri !== 'string' || !/^gs:\/\/[^/]+/.test(uri))
    throw cupelError('CUP_REQUEST_INVALID', { option: name, expected: 'gs://<bucket>/<folder>' });
}

/**
 * Makes the options of a job.
 *
 * @param json options as JSON, in camel case or as Python writes them; they win over the environment
 * @param image image of the workers where the options name none
 * @throws CupelError CUP_REQUEST_INVALID naming the option; CUP_ENVIRONMENT_INVALID when nothing names the image
 */
export function dataflowOptions(environment: JobPlaces, json = '{}', image = process.env.CUPEL_IMAGE): DataflowOptions {
  const given = Object.fromEntries(Object.entries(parsed(json)).map(([name, value]) => [camelCase(name), value]));
  const folder = `gs://${environment.buckets.ops}/dataflow`;
  const options: Omit<DataflowOptions, 'sdkContainerImage'> = {
    project: environment.project,
    region: environment.region,
    tempLocation: `${folder}/temp`,
    stagingLocation: `${folder}/staging`,
    ...(image ? { sdkContainerImage: image } : {}),
    ...given,
    [JOB_ENVIRONMENT]: jobEnvironment(environment),
  };
  checkFolder('tempLocation', options.tempLocation);
  checkFolder('stagingLocation', options.stagingLocation);
  if (!options.sdkContainerImage)
    throw cupelError('CUP_ENVIRONMENT_INVALID', {
      variable: 'CUPEL_IMAGE',
      expected: "the image of Dataflow's workers",
    });
  const experiments = [...new Set([...((options.experiments as string[] | undefined) ?? []), ...EXPERIMENTS])];
  return { ...options, experiments } as DataflowOptions;
}
