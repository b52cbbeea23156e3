import type { Command } from 'commander';
import { diffCommand } from './diff.ts';
import { fieldsCommand } from './fields.ts';
import { publishCommand } from './publish.ts';

/** `cupel contract diff|publish|fields SOURCE`. */
export function contractCommand(program: Command): void {
  const contract = program
    .command('contract')
    .description('see what a changed contract does to the rows that are there, and put it into force');
  diffCommand(contract);
  publishCommand(contract);
  fieldsCommand(contract);
}
