import { cupelError } from '../../src/errors.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { portableRunner } from '../runners/index.ts';
import type { PortableJob } from '../runners/index.ts';
import type { StreamParameters } from './run-stream.ts';
import type { WINDOW_OPTIONS } from './window-options.ts';
import { windowedStream } from './windowed-stream.ts';

type Values = Partial<Record<keyof typeof WINDOW_OPTIONS | 'runner' | 'job-endpoint', string>>;

/** A window gathers what makes a commit worth its while; a message may be a day late, such as after a long stop, and still count. */
const DEFAULTS = { windowSeconds: 10, allowedLatenessSeconds: 86_400 };

const ENDPOINT = /^[^/]+:\d+$/;

function seconds(values: Values, name: 'window-seconds' | 'allowed-lateness-seconds', unset: number): number {
  const { [name]: given = String(unset) } = values;
  const least = name === 'window-seconds' ? 1 : 0;
  if (/^\d{1,9}$/.test(given) && Number(given) >= least) return Number(given);
  throw cupelError('CUP_REQUEST_INVALID', { expected: `--${name}, whole seconds from ${least} on`, found: given });
}

function endpoint(values: Values, name: 'job-endpoint' | 'expansion-service'): string {
  const { [name]: given = '' } = values;
  if (ENDPOINT.test(given)) return given;
  throw cupelError('CUP_REQUEST_INVALID', { expected: `--${name}=host:port`, found: given || 'none' });
}

/** `projects/<project>/subscriptions/<name>`, as Java's client wants it. */
function fullName(subscription: string): string {
  return subscription.startsWith('projects/')
    ? subscription
    : `projects/${readEnvironment().project}/subscriptions/${subscription}`;
}

/**
 * Runs a stream on a portable runner until it ends. SIGTERM cancels the job: no portable runner of ours drains, so this end is never
 * taken for a drained one, and what was acknowledged and not published comes again from Bronze.
 *
 * @throws CupelError CUP_REQUEST_INVALID, CUP_BEAM_SERVICE_FAILED, CUP_BEAM_JOB_FAILED
 */
export async function runWindowed(given: StreamParameters, values: Values): Promise<void> {
  const { contract, report, subscription } = given;
  const options = {
    subscription: fullName(subscription),
    expansionService: endpoint(values, 'expansion-service'),
    windowSeconds: seconds(values, 'window-seconds', DEFAULTS.windowSeconds),
    allowedLatenessSeconds: seconds(values, 'allowed-lateness-seconds', DEFAULTS.allowedLatenessSeconds),
  };
  const runner = portableRunner({ jobEndpoint: endpoint(values, 'job-endpoint'), jobName: 'kappa-stream' });
  const job = await runner.start(windowedStream({ contract, ...(report ? { report } : {}) }, options));
  await Promise.race([job.done(), cancelledBySignal(job)]);
}

/** Cancels the job on SIGTERM; rejects once the runner has taken that: from then on the SDK tells no other state than CANCELLING. */
function cancelledBySignal(job: PortableJob): Promise<never> {
  return new Promise((_, reject) => {
    const failed = (): void =>
      reject(cupelError('CUP_BEAM_JOB_FAILED', { job: job.id, state: 'CANCELLED', said: 'it was asked to end' }));
    process.once('SIGTERM', () => void job.cancel().then(failed, reject));
  });
}
