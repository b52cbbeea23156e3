import { parseArgs } from 'node:util';
import { cupelError } from '../src/errors.ts';
import { RUNNER_OPTIONS, runsHere } from './runners/options.ts';
import { WINDOW_OPTIONS } from './streaming/window-options.ts';
import { poolOf, stopPools } from './threads/pool.ts';

const TEXT = { type: 'string' } as const;

/** Parameters of the streaming template, by name; the template's metadata lists the same (beam/deploy/kappa-stream.json). And the runner. */
const OPTIONS = { contract: TEXT, subscription: TEXT, report: TEXT, ...RUNNER_OPTIONS, ...WINDOW_OPTIONS };

async function main(): Promise<void> {
  const { contract, subscription, report, ...options } = parseArgs({ options: OPTIONS }).values;
  if (!contract || !subscription)
    throw cupelError('CUP_REQUEST_INVALID', { expected: '--contract, a gs:// URI, and --subscription' });
  const given = { contract, subscription, ...(report ? { report } : {}) };
  if (runsHere(options)) {
    const drained = new AbortController();
    process.on('SIGTERM', () => drained.abort()); // Dataflow's drain, which may come before all is loaded
    // Its threads get ready on the other cores while this one loads the SDK.
    poolOf({ contract });
    const { runDirect } = await import('./streaming/run-direct.ts');
    return runDirect(given, drained.signal);
  }
  const { runWindowed } = await import('./streaming/run-windowed.ts');
  await runWindowed(given, options);
}

try {
  await main();
} finally {
  await stopPools();
}
