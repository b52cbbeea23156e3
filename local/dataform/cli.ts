import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { cacheDirectory } from '../../scripts/tools.ts';
import { dieWithUs, signalGroup } from '../process.ts';

const CLI = createRequire(import.meta.url).resolve('@dataform/cli/bundle.js');

/** What the CLI printed. */
export interface CliOutput {
  stdout: string;
  stderr: string;
  failed: boolean;
}

/**
 * Runs the real Dataform CLI. A failed run still gives what it printed, since the errors of a compilation are printed too.
 *
 * @param signal ends the CLI, and the sandbox that it starts, at once
 */
export async function dataformCli(
  args: string[],
  env: Record<string, string>,
  signal: AbortSignal,
): Promise<CliOutput> {
  signal.throwIfAborted();
  // The bundle is 2 MB of JavaScript: compiled once, a run takes a quarter less processor time.
  const cache = { NODE_COMPILE_CACHE: path.join(cacheDirectory(), 'node-compile-cache') };
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...process.env, ...cache, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  dieWithUs(child);
  const end = (): void => signalGroup(child, 'SIGKILL');
  signal.addEventListener('abort', end);
  const closed = new Promise<number | null>((resolve, reject) => child.once('close', resolve).once('error', reject));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  signal.removeEventListener('abort', end);
  signal.throwIfAborted();
  return { stdout, stderr, failed: code !== 0 };
}
