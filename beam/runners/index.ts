import { cupelError } from '../../src/errors.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { dataflowOptions } from './dataflow-options.ts';
import { dataflowRunner } from './dataflow.ts';
import { directRunner } from './direct.ts';
import { portableRunner } from './portable.ts';
import type { RunnerValues } from './options.ts';
import type { JobRunner } from './runner.ts';

export { dataflowOptions } from './dataflow-options.ts';
export type { DataflowOptions } from './dataflow-options.ts';
export { dataflowRunner } from './dataflow.ts';
export { directRunner } from './direct.ts';
export { RUNNER_OPTIONS } from './options.ts';
export type { RunnerValues } from './options.ts';
export { portableRunner } from './portable.ts';
export type { PortableJob, PortableJobRunner, PortableOptions } from './portable.ts';
export type { JobRunner, Pipeline } from './runner.ts';

const PORTABLE = ['prism', 'flink'];

/**
 * The runner that a job was asked to use: `--runner=direct`, the default; `--runner=prism` or `flink` with `--job-endpoint=host:port`;
 * or `--runner=dataflow`, with `--pipeline-options=<JSON>` where its defaults do not fit.
 *
 * @throws CupelError CUP_REQUEST_INVALID, CUP_ENVIRONMENT_INVALID
 */
export function runnerOf(values: RunnerValues): JobRunner {
  const { runner = 'direct', 'job-endpoint': jobEndpoint, 'pipeline-options': json } = values;
  if (runner === 'dataflow' && jobEndpoint === undefined)
    return dataflowRunner(dataflowOptions(readEnvironment(), json));
  if (runner === 'direct' && jobEndpoint === undefined && json === undefined) return directRunner();
  if (PORTABLE.includes(runner) && json === undefined && jobEndpoint && /^[^/]+:\d+$/.test(jobEndpoint))
    return portableRunner({ jobEndpoint });
  throw cupelError('CUP_REQUEST_INVALID', {
    expected: '--runner=direct, --runner=dataflow, or --runner=prism or --runner=flink with --job-endpoint=host:port',
    found: `--runner=${runner}${jobEndpoint === undefined ? '' : ` --job-endpoint=${jobEndpoint}`}`,
  });
}
