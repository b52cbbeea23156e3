import { closeGroups } from './meter/process-group.ts';

/** Runs a benchmark's main function; whatever it started ends with it, also after a failure or Ctrl-C. */
export async function runMain(main: () => Promise<void>): Promise<never> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void closeGroups().finally(() => process.exit(130)));
  try {
    await main();
  } catch (error) {
    console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  } finally {
    await closeGroups();
  }
  // A server whose supervisor was not asked, because the run failed half-way, would be started again.
  process.exit();
}
