import type { Command } from 'commander';
import { digestTable, exportTable } from '../../lakehouse/committer/index.ts';
import type { AsOf } from '../../lakehouse/committer/index.ts';
import { answer } from '../output.ts';
import { contractOf, withResources } from '../session.ts';

const EXAMPLES = `
Examples:
  $ cupel silver export earthquakes > silver.earthquakes.ndjson
  $ cupel silver digest earthquakes --as-of 2025-05-05T00:00:00Z
  $ cupel silver digest earthquakes --as-of 6390104957621042490 --json`;

/** Reads `--as-of`: a snapshot id is digits only; everything else is a time. */
export function readAsOf(text: string | undefined): AsOf | undefined {
  if (text === undefined) return undefined;
  if (/^\d{5,}$/.test(text)) return { snapshotId: text };
  const timeMs = Date.parse(text);
  if (Number.isNaN(timeMs)) throw new Error(`--as-of: expected a snapshot id or a UTC time, found ${text}`);
  return { timeMs };
}

/** `cupel silver export|digest SOURCE [--as-of SNAPSHOT_OR_TIME]`. */
export function silverCommand(program: Command): void {
  const silver = program.command('silver').description('read Silver tables').addHelpText('after', EXAMPLES);
  silver
    .command('export')
    .description('write a table as NDJSON, in the exact form of docs/export.md')
    .argument('<source>', 'name of a contract')
    .option('--as-of <snapshot or time>', 'time travel')
    .action(async (source: string, options: { asOf?: string }) =>
      withResources(async (resources) => {
        const contract = await contractOf(resources, source);
        for await (const text of exportTable(resources, contract, readAsOf(options.asOf))) process.stdout.write(text);
      }),
    );
  silver
    .command('digest')
    .description('print the number of rows and the digest of a table')
    .argument('<source>', 'name of a contract')
    .option('--as-of <snapshot or time>', 'time travel')
    .option('--json', 'answer with JSON')
    .action(async (source: string, options: { asOf?: string; json?: boolean }) =>
      withResources(async (resources) => {
        const contract = await contractOf(resources, source);
        const found = await digestTable(resources, contract, readAsOf(options.asOf));
        answer(options, found, [`${found.rows} rows  ${found.digest}`]);
      }),
    );
}
