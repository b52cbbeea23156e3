import { cupelError } from '../../src/errors.ts';
import type { CupelEnvironment } from '../../src/gcp/env.ts';

/** Pipeline option that holds the variables: it goes wherever the job goes. */
export const JOB_ENVIRONMENT = 'cupelEnvironment';

/** The same as a worker reads it. Beam writes the options of a job in snake case, and what comes by its job API with a prefix. */
const NAMES = ['cupel_environment', 'beam:option:cupel_environment:v1'];

/**
 * The variables that the steps of a job need, from the environment of whoever starts it: a container knows of no project and no
 * buckets. These alone, each by name: options of a job are shown to everybody who may look at it.
 */
export function jobEnvironment({ project, region, buckets, endpoints }: JobPlaces): Record<string, string> {
  return {
    CUPEL_PROJECT: project,
    CUPEL_REGION: region,
    CUPEL_BRONZE_BUCKET: buckets.bronze,
    CUPEL_OPS_BUCKET: buckets.ops,
    CUPEL_QUARANTINE_BUCKET: buckets.quarantine,
    ...(endpoints.storage ? { CUPEL_STORAGE_ENDPOINT: endpoints.storage } : {}),
  };
}

/** What of an environment a job's steps need. */
export type JobPlaces = Pick<CupelEnvironment, 'project' | 'region' | 'buckets' | 'endpoints'>;

/**
 * Reads the variables from what a worker is started with.
 *
 * @param argv arguments of the process; `--options=<JSON>` holds the options of the job
 * @throws CupelError CUP_ENVIRONMENT_INVALID when the job brings none
 */
export function variablesOf(argv: string[]): Record<string, string> {
  const text = argv.find((argument) => argument.startsWith('--options='))?.slice('--options='.length) ?? '{}';
  const all = JSON.parse(text) as Record<string, unknown>;
  const options = (all.options ?? all) as Record<string, unknown>; // Dataflow nests them
  const variables = NAMES.map((name) => options[name]).find((value) => value !== undefined);
  if (!variables)
    throw cupelError('CUP_ENVIRONMENT_INVALID', { variable: '--options', expected: `the option ${JOB_ENVIRONMENT}` });
  return variables as Record<string, string>;
}
