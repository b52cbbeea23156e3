import { ensureTools } from './tools.ts';

const started = Date.now();
try {
  await ensureTools();
  console.error(`setup: everything is there (${((Date.now() - started) / 1000).toFixed(1)} s)`);
} catch (error) {
  console.error(`setup: ${(error as Error).message}`);
  process.exitCode = 1;
}
