import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { loadContract } from '../../lakehouse/contract-store.ts';
import { typesFile } from '../../sdk/types-file.ts';

interface TypesOptions {
  contracts: string;
  out?: string;
  sdk?: string;
}

const EXAMPLES = `
Examples:
  $ cupel sdk types felt_reports --out src/felt-reports.ts`;

async function types(source: string, { contracts, out, sdk }: TypesOptions): Promise<void> {
  const text = typesFile(await loadContract(contracts, source), sdk === undefined ? {} : { sdk });
  if (out === undefined) process.stdout.write(text);
  else await writeFile(out, text);
}

/** `cupel sdk`: what apps need that publish to a source. */
export function sdkCommand(program: Command): void {
  program
    .command('sdk')
    .description('for apps that publish events (docs/sdk.md)')
    .command('types')
    .description('write the TypeScript of a source: the type of its messages, and a client for them')
    .argument('<source>', 'name of the contract')
    .option('--out <file>', 'default: standard output')
    .option('--sdk <module>', 'what the file imports the SDK by; default: cupel/sdk')
    .option('--contracts <folder>', 'folder of the contracts', process.env.CUPEL_CONTRACTS_DIR || 'sources')
    .addHelpText('after', EXAMPLES)
    .action(types);
}
