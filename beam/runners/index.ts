import { cupelError } from '../../src/errors.ts';
import { directRunner } from './direct.ts';
import { portableRunner } from './portable.ts';
import type { JobRunner } from './runner.ts';

export { directRunner } from './direct.ts';
export { portableRunner } from './portable.ts';
export type { PortableJob, PortableJobRunner, PortableOptions } from './portable.ts';
export type { JobRunner, Pipeline } from './runner.ts';

/** Options of a job that choose its runner; neither is a parameter of the template. */
export const RUNNER_OPTIONS = { runner: { type: 'string' }, 'job-endpoint': { type: 'string' } } as const;

const PORTABLE = ['prism', 'flink'];

/**
 * The runner that a job was asked to use: `--runner=direct`, the default, or `--runner=prism` or `flink` with `--job-endpoint=host:port`.
 *
 * @throws CupelError CUP_REQUEST_INVALID
 */
export function runnerOf(values: { runner?: string; 'job-endpoint'?: string }): JobRunner {
  const { runner = 'direct', 'job-endpoint': jobEndpoint } = values;
  if (runner === 'direct' && jobEndpoint === undefined) return directRunner();
  if (PORTABLE.includes(runner) && jobEndpoint && /^[^/]+:\d+$/.test(jobEndpoint))
    return portableRunner({ jobEndpoint });
  throw cupelError('CUP_REQUEST_INVALID', {
    expected: '--runner=direct, or --runner=prism or --runner=flink with --job-endpoint=host:port',
    found: `--runner=${runner}${jobEndpoint === undefined ? '' : ` --job-endpoint=${jobEndpoint}`}`,
  });
}
