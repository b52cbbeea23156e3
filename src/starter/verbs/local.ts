import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';

// The laptop-size cloud is a program of its own: nothing of the product knows it, so it is run and not imported.
const PROGRAM = fileURLToPath(new URL('../../../local/cli.ts', import.meta.url));

async function run(args: string[]): Promise<void> {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: 'inherit' });
  process.exitCode = await new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

/** `cupel local up|status|down|env`. */
export function localCommand(program: Command): void {
  program
    .command('local')
    .description('the laptop-size cloud: up, status, down, env')
    .argument('[arguments...]')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action((args: string[]) => run(args));
}
