import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { test } from 'vitest';
import { PROJECT } from '../../scripts/tools.ts';

const run = promisify(execFile);
const tool = (file: string) => path.join(PROJECT, 'node_modules', file);

/** Runs a checker; what it prints becomes the failure. */
async function check(...args: string[]): Promise<void> {
  await run(process.execPath, args, { cwd: PROJECT }).catch((error: { stdout?: string; stderr?: string }) => {
    throw new Error(`${error.stdout ?? ''}${error.stderr ?? ''}`);
  });
}

/** Each reads the whole project, side by side with the other tests. */
const LONG = 180_000;

test.concurrent('the types fit', () => check(tool('typescript/bin/tsc'), '--noEmit'), LONG);
test.concurrent('the linter finds nothing', () => check(tool('eslint/bin/eslint.js'), '.'), LONG);
test.concurrent(
  'the code is formatted',
  () => check(tool('prettier/bin/prettier.cjs'), '--check', '--log-level=warn', '.'),
  LONG,
);
