import { parseArgs } from 'node:util';
import { cupelError } from '../src/errors.ts';
import { RUNNER_OPTIONS, runsHere } from './runners/options.ts';
import { poolOf, stopPools } from './threads/pool.ts';

const TEXT = { type: 'string' } as const;

/** Parameters of the template, by name; the template's metadata lists the same (beam/deploy/kappa.json). And the runner. */
const OPTIONS = { chunk: TEXT, contract: TEXT, report: TEXT, ...RUNNER_OPTIONS };

async function main(): Promise<void> {
  const { chunk, contract, report, ...runner } = parseArgs({ options: OPTIONS }).values;
  if (!chunk || !contract)
    throw cupelError('CUP_REQUEST_INVALID', { expected: '--chunk and --contract, both gs:// URIs' });
  // Its threads get ready on the other cores while this one loads the SDK.
  if (runsHere(runner)) poolOf({ contract });
  const { runBatch } = await import('./run-batch.ts');
  await runBatch({ chunk, contract, ...(report ? { report } : {}) }, runner);
}

try {
  await main();
} finally {
  await stopPools();
}
