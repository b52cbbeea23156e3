import type { Command } from 'commander';
import { listSources, loadContract } from '../../lakehouse/contract-store.ts';
import { prepareLakehouse } from '../../lakehouse/prepare.ts';
import { answer } from '../output.ts';
import { withResources } from '../session.ts';

const EXAMPLES = `
Examples:
  $ cupel prepare                    # before each deployment; what is there stays as it is`;

/** `cupel prepare`: the ledger, and of each contract its published form, its Silver table and its table of Bronze in BigQuery. */
export function prepareCommand(program: Command): void {
  program
    .command('prepare')
    .description('make the tables that contracts, queries and subscriptions need')
    .option('--json', 'answer with JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (options: { json?: boolean }) =>
      withResources(async (resources) => {
        const { contractsDirectory, buckets } = resources.environment;
        const names = await listSources(contractsDirectory);
        const contracts = await Promise.all(names.map((name) => loadContract(contractsDirectory, name)));
        const prepared = await prepareLakehouse({ ...resources, opsBucket: buckets.ops }, contracts);
        const lines = prepared.map(({ source, silver, raw }) =>
          [source.padEnd(20), silver ?? '(log)', raw ?? ''].join('  ').trimEnd(),
        );
        answer(options, prepared, lines);
      }),
    );
}
