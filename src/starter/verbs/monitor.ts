import type { Command } from 'commander';
import { lookAround } from '../../activities/monitor.ts';
import { canonicalTime } from '../../workflows/range.ts';
import { answer } from '../output.ts';
import { withResources } from '../session.ts';

const EXAMPLES = `
Examples:
  $ cupel monitor                                   # exit code 1 when something is overdue
  $ cupel monitor --json | jq '.[] | select(.state == "failed")'`;

/** `cupel monitor`: whether everything that should move does. Asks the same as the workflow, and needs no worker. */
export function monitorCommand(program: Command): void {
  program
    .command('monitor')
    .description('tell what stands still: feeds, tables, Gold, schedules')
    .option('--at <time>', 'look as of this time, UTC; default: now')
    .option('--json', 'answer with JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (options: { at?: string; json?: boolean }) => {
      const now = options.at ? Date.parse(canonicalTime(options.at)) : Date.now();
      const findings = await withResources((resources) => lookAround(resources, now));
      const sorted = findings.toSorted((a, b) => a.state.localeCompare(b.state));
      const lines = sorted.flatMap(({ state, subject, reason, todo }) => [
        `${state === 'failed' ? 'OVERDUE' : 'fresh  '}  ${subject}  ${reason}`,
        ...(todo ? [`         $ ${todo}`] : []),
      ]);
      answer(options, sorted, lines.length ? lines : ['there is nothing to look at']);
      if (findings.some(({ state }) => state === 'failed')) process.exitCode = 1;
    });
}
