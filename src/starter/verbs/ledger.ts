import type { Command } from 'commander';
import { tableName } from '../../contracts/index.ts';
import { rebuildLedger } from '../../lakehouse/ledger/index.ts';
import type { EventKind } from '../../lakehouse/ledger/index.ts';
import { answer } from '../output.ts';
import { contractOf, withResources } from '../session.ts';

const KINDS: EventKind[] = [
  'arrival',
  'file',
  'gap',
  'missing',
  'partition',
  'batch',
  'quarantine',
  'redrive',
  'materialization',
  'assertion',
  'freshness',
  'health',
  'reconciliation',
  'upkeep',
];

const EXAMPLES = `
Examples:
  $ cupel ledger show earthquakes
  $ cupel ledger show earthquakes --kind partition --json
  $ cupel ledger rebuild earthquakes                # from manifests and their outcomes`;

/** `cupel ledger show|rebuild SOURCE`. */
export function ledgerCommand(program: Command): void {
  const ledger = program
    .command('ledger')
    .description('what arrived, what is done, what is missing')
    .addHelpText('after', EXAMPLES);
  ledger
    .command('show')
    .description('newest state of everything the ledger knows of a source')
    .argument('<source>', 'name of a contract')
    .option('--kind <kind...>', `one or more of ${KINDS.join(', ')}; default: all but arrival`)
    .option('--json', 'answer with JSON')
    .action(async (source: string, options: { kind?: EventKind[]; json?: boolean }) =>
      withResources(async ({ ledger: store }) => {
        const kinds = options.kind ?? KINDS.filter((kind) => kind !== 'arrival');
        const states = await store.latest(source, kinds);
        const lines = states.map(
          (state) => `${state.kind.padEnd(16)} ${state.state.padEnd(10)} ${state.occurredAt}  ${state.subject}`,
        );
        answer(options, states, lines.length ? lines : [`nothing is known of ${source}`]);
      }),
    );
  ledger
    .command('rebuild')
    .description('make the ledger anew from what storage knows')
    .argument('<source>', 'name of a contract')
    .option('--json', 'answer with JSON')
    .action(async (source: string, options: { json?: boolean }) =>
      withResources(async (resources) => {
        const contract = await contractOf(resources, source);
        await resources.ledger.ensure();
        const events = await rebuildLedger(resources.ledger, resources.deltas, source, tableName(contract));
        answer(options, { events }, [`${events} events`]);
      }),
    );
}
