import { parseArgs } from 'node:util';
import { cupelError } from '../src/errors.ts';
import { pubsubClient } from '../src/gcp/clients.ts';
import { StreamLog } from '../src/lakehouse/streams/index.ts';
import { openContract } from './job-resources.ts';
import { RUNNER_OPTIONS } from './runners/index.ts';
import { Stream } from './streaming/run-stream.ts';
import type { StreamParameters } from './streaming/run-stream.ts';
import { runWindowed, WINDOW_OPTIONS } from './streaming/run-windowed.ts';
import { stopPools } from './threads/pool.ts';

const TEXT = { type: 'string' } as const;

/** Parameters of the streaming template, by name; the template's metadata lists the same (beam/deploy/kappa-stream.json). And the runner. */
const OPTIONS = { contract: TEXT, subscription: TEXT, report: TEXT, ...RUNNER_OPTIONS, ...WINDOW_OPTIONS };

/** The stream in this process: bounded reads of the subscription. */
async function runDirect(given: StreamParameters): Promise<void> {
  const resources = await openContract(given.contract);
  const { store, environment, contract } = resources;
  const pubsub = await pubsubClient(environment);
  const log = new StreamLog(store, environment.buckets.ops, contract.source);
  const stream = new Stream(given, { ...resources, pubsub, log });
  // Dataflow's drain; a second one is a matter of the service.
  process.once('SIGTERM', () => stream.stop());
  try {
    await stream.run();
  } finally {
    await pubsub.close();
  }
}

async function main(): Promise<void> {
  const { contract, subscription, report, ...options } = parseArgs({ options: OPTIONS }).values;
  if (!contract || !subscription)
    throw cupelError('CUP_REQUEST_INVALID', { expected: '--contract, a gs:// URI, and --subscription' });
  const given = { contract, subscription, ...(report ? { report } : {}) };
  if ((options.runner ?? 'direct') === 'direct') await runDirect(given);
  else await runWindowed(given, options);
}

try {
  await main();
} finally {
  await stopPools();
}
