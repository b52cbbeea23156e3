import { parseArgs } from 'node:util';
import { cupelError } from '../src/errors.ts';
import { pubsubClient } from '../src/gcp/clients.ts';
import { StreamLog } from '../src/lakehouse/streams/index.ts';
import { openContract } from './job-resources.ts';
import { Stream } from './streaming/run-stream.ts';
import type { StreamParameters } from './streaming/run-stream.ts';
import { stopPools } from './threads/pool.ts';

/** Parameters of the streaming template, by name; the template's metadata lists the same (beam/deploy/kappa-stream.json). */
function parameters(): StreamParameters {
  const text = { type: 'string' } as const;
  const options = { contract: text, subscription: text, report: text };
  const { contract, subscription, report } = parseArgs({ options }).values;
  if (!contract || !subscription)
    throw cupelError('CUP_REQUEST_INVALID', { expected: '--contract, a gs:// URI, and --subscription' });
  return { contract, subscription, ...(report ? { report } : {}) };
}

async function main(): Promise<void> {
  const given = parameters();
  const resources = await openContract(given.contract);
  const { store, environment, contract } = resources;
  const pubsub = await pubsubClient(environment);
  const log = new StreamLog(store, environment.buckets.ops, contract.source);
  const stream = new Stream(given, { ...resources, pubsub, log });
  // Dataflow's drain: asking for it again changes nothing.
  process.on('SIGTERM', () => stream.stop());
  try {
    await stream.run();
  } finally {
    await pubsub.close();
  }
}

try {
  await main();
} finally {
  await stopPools();
}
