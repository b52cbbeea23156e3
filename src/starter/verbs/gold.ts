import type { Command } from 'commander';
import { GOLD } from '../../activities/gold.ts';
import type { LedgerState } from '../../lakehouse/ledger/index.ts';
import { goldId, TASK_QUEUE } from '../../workflows/ids.ts';
import type { NightlyGoldInput, NightlyGoldResult } from '../../workflows/nightly-gold.ts';
import { answer, progress, progressDone } from '../output.ts';
import { withResources, withTemporal } from '../session.ts';

const EXAMPLES = `
Examples:
  $ cupel gold run --date 2025-05-04
  $ cupel gold run --date 2025-05-04 --deadline 0s       # go on without what is late
  $ cupel gold show

The same by Temporal's own command line:
  $ temporal workflow start --type nightlyGold --task-queue cupel \\
      --workflow-id gold/2025-05-04 --input '{"date":"2025-05-04"}'`;

interface RunOptions {
  date: string;
  source?: string[];
  deadline?: string;
  json?: boolean;
}

/** How Gold is, from the ledger. */
interface GoldState {
  /** The newest outcome; null before the first night. */
  last: { date: string; state: string; at: string; detail: Record<string, unknown> } | null;
  freshness: LedgerState[];
  /** Assertions that do not hold, with a sample of the rows. */
  failedAssertions: LedgerState[];
}

function resultLines(result: NightlyGoldResult): string[] {
  const { state, asOf, bytes, late, lateSlots, freshness } = result;
  return [
    `Gold         ${state}${asOf ? `, Silver as of ${asOf}, ${bytes} bytes by dry run` : ''}`,
    `late         ${lateSlots} slots${lateSlots ? `: ${late.slice(0, 5).join(', ')}${lateSlots > 5 ? ' …' : ''}` : ''}`,
    ...freshness.map((of) => `${of.state.padEnd(12)} ${of.table}, newest ${of.newest ?? 'nothing'}`),
  ];
}

function goldState(states: LedgerState[]): GoldState {
  const of = (kind: LedgerState['kind']) => states.filter((state) => state.kind === kind);
  const last = of('materialization').reduce<LedgerState | undefined>(
    (a, b) => (a && a.occurredAt >= b.occurredAt ? a : b),
    undefined,
  );
  return {
    last: last ? { date: last.subject, state: last.state, at: last.occurredAt, detail: last.detail } : null,
    freshness: of('freshness'),
    failedAssertions: of('assertion').filter(({ state }) => state === 'failed'),
  };
}

function stateLines({ last, freshness, failedAssertions }: GoldState): string[] {
  if (!last) return ['Gold was never made by nightlyGold: cupel gold run --date YYYY-MM-DD'];
  const { code, asOf, lateSlots } = last.detail;
  const bad = last.state === 'failed' || last.state === 'assertions-failed';
  return [
    `${bad ? 'FAILED' : 'ok    '}  ${last.date} ${last.state} at ${last.at}${code ? `, ${String(code)}` : ''}${asOf ? `, Silver as of ${String(asOf)}` : ''}${lateSlots ? `, ${String(lateSlots)} slots late` : ''}`,
    ...(bad ? [`        $ cupel gold run --date ${last.date}`] : []),
    ...failedAssertions.flatMap(({ subject, detail }) => [
      `FAILED  ${subject}: ${String(detail.reason)}`,
      ...((detail.sample ?? []) as unknown[]).map((row) => `        ${JSON.stringify(row)}`),
    ]),
    ...freshness.map(
      ({ subject, state, detail }) =>
        `${state === 'stale' ? 'STALE ' : state.padEnd(6)}  ${subject}, newest ${String(detail.newest ?? 'nothing')} by ${String(detail.by)}`,
    ),
  ];
}

async function run(options: RunOptions): Promise<void> {
  const { date, source, deadline } = options;
  const workflowId = goldId(date);
  const input: NightlyGoldInput = { date, ...(source ? { sources: source } : {}), ...(deadline ? { deadline } : {}) };
  const result = await withTemporal(async (client) => {
    const handle = await client.workflow.start<(given: NightlyGoldInput) => Promise<NightlyGoldResult>>('nightlyGold', {
      workflowId,
      taskQueue: TASK_QUEUE,
      args: [input],
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
    progress(`${workflowId} runs`);
    return handle.result().finally(progressDone);
  });
  answer(options, result, resultLines(result));
}

/** `cupel gold run|show`. */
export function goldCommand(program: Command): void {
  const gold = program
    .command('gold')
    .description('make Gold, and tell how fresh it is')
    .addHelpText('after', EXAMPLES);
  gold
    .command('run')
    .description('make Gold of a day; a run of that day is joined')
    .requiredOption('--date <date>', 'UTC day whose partitions are waited for')
    .option('--source <name...>', 'sources that Gold stands on; default: every contract')
    .option('--deadline <time>', 'go on without late partitions: UTC time, or 90m, 3h; default: 3h, 0s for an old day')
    .option('--json', 'answer with JSON')
    .action(run);
  gold
    .command('show')
    .description('newest outcome, failed assertions and freshness; exit code 1 when something is wrong')
    .option('--json', 'answer with JSON')
    .action(async (options: { json?: boolean }) =>
      withResources(async ({ ledger }) => {
        const state = goldState(await ledger.latest(GOLD, ['materialization', 'assertion', 'freshness']));
        answer(options, state, stateLines(state));
        const stale = state.freshness.some((of) => of.state === 'stale');
        const bad = ['failed', 'assertions-failed'].includes(state.last?.state ?? '');
        if (bad || stale || state.failedAssertions.length) process.exitCode = 1;
      }),
    );
}
