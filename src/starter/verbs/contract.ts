import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { compileContract, contractChanges, gravest, withFields } from '../../contracts/index.ts';
import type { CompiledContract, ContractChange, Impact } from '../../contracts/index.ts';
import { storageClient } from '../../gcp/clients.ts';
import { readEnvironment } from '../../gcp/env.ts';
import { contractUri, loadContract, readContract } from '../../lakehouse/contract-store.ts';
import { ObjectStore } from '../../lakehouse/object-store.ts';
import { publishedContract, readPublication } from '../../lakehouse/published-contract.ts';
import { answer } from '../output.ts';

const EXAMPLES = `
Examples:
  $ cupel contract diff earthquakes                             # the file against what is published
  $ git show HEAD:sources/earthquakes.yaml > before.yaml
  $ cupel contract diff earthquakes --against before.yaml       # asks no cloud, so CI can run it
  $ cupel contract diff earthquakes --against 5d0c6a…           # the whole hash of one that was published once

Ends with 1 where a change needs a raised rulesVersion or a rebuild.`;

interface DiffOptions {
  contracts: string;
  against?: string;
  json?: boolean;
}

/** What is compared; `from` is undefined where nothing is published yet. */
interface Compared {
  from: CompiledContract | undefined;
  to: CompiledContract;
}

/** The file, with the fields that were taken up meanwhile, and the contract in force or the one of a hash. */
async function withPublished(file: CompiledContract, hash?: string): Promise<Compared> {
  const environment = readEnvironment();
  const where = { store: new ObjectStore(await storageClient(environment)), opsBucket: environment.buckets.ops };
  const { evolved = [] } = (await readPublication(where, file.source)) ?? {};
  const from =
    hash === undefined
      ? await publishedContract(where, file.source)
      : await readContract(where.store, contractUri(where.opsBucket, file.source, hash));
  return { from, to: withFields(file, evolved) };
}

async function compared(file: CompiledContract, against: string | undefined): Promise<Compared> {
  if (against === undefined || /^[0-9a-f]{64}$/.test(against)) return withPublished(file, against);
  const text = await readFile(against, 'utf8').catch((cause: unknown) => {
    throw new Error(`--against: expected the whole hash of a published contract, or a file; found ${against}`, {
      cause,
    });
  });
  return { from: compileContract(text, against), to: file };
}

const HEAD = { path: 'path', what: 'what', impact: 'impact', needs: 'needs' };

function table(changes: ContractChange[]): string[] {
  const lines = [HEAD, ...changes];
  const widthOf = (column: keyof ContractChange): number => Math.max(...lines.map((line) => line[column].length));
  const [path, what, impact] = [widthOf('path'), widthOf('what'), widthOf('impact')];
  return lines.map((line) =>
    [line.path.padEnd(path), line.what.padEnd(what), line.impact.padEnd(impact), line.needs].join('  ').trimEnd(),
  );
}

/** What to do, by the gravest impact. */
const ADVICE: Record<Impact, (from: CompiledContract) => string> = {
  compatible: () => 'compatible: publish it',
  'rules-version': ({ rulesVersion }) => `set rulesVersion to ${rulesVersion + 1}, and look again`,
  breaking: () => 'breaking: take the breaking changes back, or publish it with rebuild: true',
};

function linesOf(from: CompiledContract | undefined, to: CompiledContract, changes: ContractChange[]): string[] {
  if (!from) return [`no contract of ${to.source} is published yet: publish it`];
  if (from.hash === to.hash) return [`the same contract, ${to.hash}: nothing to do`];
  return [...table(changes), ADVICE[gravest(changes)](from)];
}

async function diff(source: string, options: DiffOptions): Promise<void> {
  const { from, to } = await compared(await loadContract(options.contracts, source), options.against);
  const changes = from ? contractChanges(from, to) : [];
  const impact = gravest(changes);
  answer(options, { source, from: from?.hash ?? null, to: to.hash, impact, changes }, linesOf(from, to, changes));
  if (impact !== 'compatible') process.exitCode = 1;
}

/** `cupel contract diff SOURCE`. */
export function contractCommand(program: Command): void {
  program
    .command('contract')
    .description('see what a changed contract does to the rows that are there (docs/contract-changes.md)')
    .command('diff')
    .description('compare the contract in the folder with the one that was published last')
    .argument('<source>', 'name of the contract')
    .option('--against <hash or file>', 'another published contract by its hash, or a file; default: published last')
    .option('--contracts <folder>', 'folder of the contracts', process.env.CUPEL_CONTRACTS_DIR || 'sources')
    .option('--json', 'answer with JSON')
    .addHelpText('after', EXAMPLES)
    .action(diff);
}
