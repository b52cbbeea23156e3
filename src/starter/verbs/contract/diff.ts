import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { compileContract, contractChanges, gravest } from '../../../contracts/index.ts';
import type { CompiledContract, ContractChange, Impact } from '../../../contracts/index.ts';
import { loadContract } from '../../../lakehouse/contract-store.ts';
import { answer } from '../../output.ts';
import { changesTable } from './changes-table.ts';
import { publications, withPublished } from './published.ts';
import type { Compared } from './published.ts';

const EXAMPLES = `
Examples:
  $ cupel contract diff earthquakes                             # the file against what is in force
  $ git show HEAD:sources/earthquakes.yaml > before.yaml
  $ cupel contract diff earthquakes --against before.yaml       # asks no cloud, so CI can run it
  $ cupel contract diff earthquakes --against 5d0c6a…           # the whole hash of one that was published once

Ends with 1 where a change needs a raised rulesVersion or a rebuild.`;

interface DiffOptions {
  contracts: string;
  against?: string;
  json?: boolean;
}

async function compared(file: CompiledContract, against: string | undefined): Promise<Compared> {
  if (against === undefined || /^[0-9a-f]{64}$/.test(against))
    return withPublished(await publications(), file, against);
  const text = await readFile(against, 'utf8').catch((cause: unknown) => {
    throw new Error(`--against: expected the whole hash of a published contract, or a file; found ${against}`, {
      cause,
    });
  });
  return { from: compileContract(text, against), to: file };
}

/** What to do, by the gravest impact. */
const ADVICE: Record<Impact, (from: CompiledContract) => string> = {
  compatible: () => 'compatible: the next run puts it into force, or cupel contract publish does',
  'rules-version': ({ rulesVersion }) => `set rulesVersion to ${rulesVersion + 1}, and look again`,
  breaking: ({ source }) => `breaking: take the breaking changes back, or cupel contract publish ${source} --rebuild`,
};

function linesOf(from: CompiledContract | undefined, to: CompiledContract, changes: ContractChange[]): string[] {
  if (!from) return [`no contract of ${to.source} is in force yet: the first run publishes it`];
  if (from.hash === to.hash) return [`the same contract, ${to.hash}: nothing to do`];
  return [...changesTable(changes), ADVICE[gravest(changes)](from)];
}

async function diff(source: string, options: DiffOptions): Promise<void> {
  const { from, to } = await compared(await loadContract(options.contracts, source), options.against);
  const changes = from ? contractChanges(from, to) : [];
  const impact = gravest(changes);
  answer(options, { source, from: from?.hash ?? null, to: to.hash, impact, changes }, linesOf(from, to, changes));
  if (impact !== 'compatible') process.exitCode = 1;
}

/** `cupel contract diff SOURCE`. */
export function diffCommand(contract: Command): void {
  contract
    .command('diff')
    .description('compare the contract in the folder with the one in force')
    .argument('<source>', 'name of the contract')
    .option('--against <hash or file>', 'another published contract by its hash, or a file; default: the one in force')
    .option('--contracts <folder>', 'folder of the contracts', process.env.CUPEL_CONTRACTS_DIR || 'sources')
    .option('--json', 'answer with JSON')
    .addHelpText('after', EXAMPLES)
    .action(diff);
}
