import type { Command } from 'commander';
import { dataformActivities } from '../../activities/dataform.ts';
import type { ActivityResources } from '../../activities/index.ts';
import type { CompiledContract } from '../../contracts/index.ts';
import { listSources } from '../../lakehouse/contract-store.ts';
import type { HourRange } from '../../lakehouse/bronze/index.ts';
import { explain, readKey } from '../../lakehouse/explain/index.ts';
import type { Explanation } from '../../lakehouse/explain/index.ts';
import { readGoldKnowledge } from '../../lakehouse/gold/knowledge.ts';
import type { GoldKnowledge } from '../../lakehouse/gold/knowledge.ts';
import { canonicalTime } from '../../workflows/range.ts';
import { answer, progress, progressDone } from '../output.ts';
import { contractOf, withResources } from '../session.ts';
import { explainLines } from './explain-lines.ts';

const EXAMPLES = `
Examples:
  $ cupel explain earthquakes us7000pwkn                     # all of Bronze
  $ cupel explain earthquakes us7000pwkn --from 2025-05-04 --to 2025-05-06
  $ cupel explain earthquakes '{"event_id":"us7000pwkn"}' --json
  $ cupel explain github_events delivery_id=72d3162e-cc78-11e3-81ab-4c9367dc0958
Exit code 1: Silver does not hold what the law says, or nothing of the key ever landed.`;

interface ExplainOptions {
  from?: string;
  to?: string;
  gold: boolean;
  json?: boolean;
}

/** The hours to search; undefined: all. A side that is not given is open. */
function rangeOf({ from, to }: ExplainOptions): HourRange | undefined {
  if (from === undefined && to === undefined) return undefined;
  return {
    from: new Date(from === undefined ? '1970-01-01T00:00:00Z' : canonicalTime(from)),
    to: new Date(to === undefined ? '9999-12-30T00:00:00Z' : canonicalTime(to)),
  };
}

async function goldOf(resources: ActivityResources, contract: CompiledContract): Promise<GoldKnowledge> {
  const { environment } = resources;
  const { compileDataform } = dataformActivities(resources);
  const reach = {
    ...resources,
    compile: async (asOf: string) => (await compileDataform({ asOf })).name,
    project: environment.project,
    catalogName: environment.catalog.name,
  };
  return readGoldKnowledge(reach, contract, await listSources(environment.contractsDirectory));
}

/** Whether Silver is not what the law says: a fault, or something that nobody has committed yet. */
function differs({ rows }: Explanation): boolean {
  return !rows.length || rows.some(({ verdict }) => !['agrees', 'unproven'].includes(verdict.state));
}

async function run(resources: ActivityResources, source: string, key: string, options: ExplainOptions): Promise<void> {
  const contract = await contractOf(resources, source);
  const selection = readKey(contract, key);
  const range = rangeOf(options);
  const { bronze: bronzeBucket, quarantine: quarantineBucket, ops: opsBucket } = resources.environment.buckets;
  const knowledge = options.gold ? await goldOf(resources, contract) : undefined;
  const gold = knowledge ? { gold: { bigquery: resources.bigquery, knowledge } } : {};
  const explanation = await explain(
    { ...resources, bronzeBucket, quarantineBucket, opsBucket, progress, ...gold },
    contract,
    selection,
    range,
  ).finally(progressDone);
  answer(options, explanation, explainLines(explanation));
  if (differs(explanation)) process.exitCode = 1;
}

/** `cupel explain SOURCE KEY`: the audit trail of a row. */
export function explainCommand(program: Command): void {
  program
    .command('explain')
    .description('every record that landed for a key, which one wins and why, and what Silver and Gold made of it')
    .argument('<source>', 'name of a contract')
    .argument('<key>', 'the value, <column>=<value>[,…], or JSON; of a log any column (docs/explain.md)')
    .option('--from <time>', 'only nominal hours of Bronze from here on, UTC; a date is its midnight')
    .option('--to <time>', 'only nominal hours before, UTC')
    .option('--no-gold', 'leave Gold out')
    .option('--json', 'answer with JSON, complete')
    .addHelpText('after', EXAMPLES)
    .action(async (source: string, key: string, options: ExplainOptions) =>
      withResources((resources) => run(resources, source, key, options)),
    );
}
