import type { Command } from 'commander';
import { countEntries, readQuarantine } from '../../lakehouse/quarantine/index.ts';
import type { QuarantineEntry } from '../../lakehouse/quarantine/index.ts';
import type { CupelEnvironment } from '../../gcp/env.ts';
import { answer } from '../output.ts';
import { withResources } from '../session.ts';
import { addFilter, filterOf } from './quarantine-filter.ts';
import type { FilterOptions } from './quarantine-filter.ts';

const EXAMPLES = `
Examples:
  $ cupel quarantine list earthquakes                          # counts by reason and partition
  $ cupel quarantine list earthquakes --reason wrong_type --names
  $ cupel quarantine show earthquakes <name>                   # one record, with its raw bytes`;

/** What `show` takes: the name under the source's folder, without its extension. */
function nameOf(environment: CupelEnvironment, source: string, { copies }: QuarantineEntry): string {
  const folder = `gs://${environment.buckets.quarantine}/${source}/`;
  return (copies.at(-1)?.uri ?? '').slice(folder.length).replace(/\.json$/, '');
}

/** `cupel quarantine list|show SOURCE`. */
export function quarantineCommand(program: Command): void {
  const quarantine = program
    .command('quarantine')
    .description('what contracts refused, and why')
    .addHelpText('after', EXAMPLES);
  const list = quarantine
    .command('list')
    .description('what is in quarantine and was not re-driven, by reason and partition')
    .argument('<source>', 'name of a contract');
  addFilter(list)
    .option('--names', 'one line for each instead')
    .option('--json', 'answer with JSON')
    .action(async (source: string, options: FilterOptions & { names?: boolean; json?: boolean }) =>
      withResources(async ({ environment, store }) => {
        const entries = await readQuarantine(store, environment.buckets.quarantine, source, filterOf(options));
        if (options.names) {
          const named = entries.map((entry) => ({ name: nameOf(environment, source, entry), ...entry }));
          const lines = named.map(({ name, reasonCode, id, detail }) =>
            [name, reasonCode, id, detail].join('  ').trimEnd(),
          );
          return answer(options, named, lines);
        }
        const { quarantined, byReason, partitions, byPartition } = countEntries(entries, new Set());
        const lines = [
          ...byReason.map((of) => `${of.reasonCode.padEnd(32)} ${of.quarantined}`),
          ...byPartition.map((of) => `${of.partition.padEnd(32)} ${of.quarantined}`),
        ];
        const counts = { quarantined, byReason, partitions, byPartition };
        answer(options, counts, [...lines, `${quarantined} in quarantine in ${partitions} partitions`]);
      }),
    );
  quarantine
    .command('show')
    .description('one of them, with its raw bytes')
    .argument('<source>', 'name of a contract')
    .argument('<name>', 'as `quarantine list --names` tells it')
    .option('--json', 'answer with JSON: the note as it is kept, raw bytes in base64')
    .action(async (source: string, name: string, options: { json?: boolean }) =>
      withResources(async ({ environment, store }) => {
        const uri = `gs://${environment.buckets.quarantine}/${source}/${name}.json`;
        const { rawBase64, ...note } = JSON.parse((await store.read(uri)).toString('utf8')) as { rawBase64?: string };
        const raw = rawBase64 === undefined ? [] : ['', Buffer.from(rawBase64, 'base64').toString('utf8')];
        const lines = Object.entries(note).map(([key, value]) => `${key.padEnd(14)} ${textOf(value)}`);
        answer(options, { ...note, ...(rawBase64 === undefined ? {} : { rawBase64 }) }, [...lines, ...raw]);
      }),
    );
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
