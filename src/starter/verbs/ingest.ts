import type { Command } from 'commander';
import { isPolled } from '../../contracts/index.ts';
import type { PollResult } from '../../ingest/poll.ts';
import { readEnvironment } from '../../gcp/env.ts';
import { loadContract } from '../../lakehouse/contract-store.ts';
import { ingestId, TASK_QUEUE } from '../../workflows/ids.ts';
import { canonicalTime } from '../../workflows/range.ts';
import { answer } from '../output.ts';
import { withTemporal } from '../session.ts';

const EXAMPLES = `
Examples:
  $ cupel ingest earthquakes                        # every feed of the contract, now
  $ cupel ingest earthquakes all_hour --at 2025-05-04T13:00:00Z --json`;

/** `cupel ingest SOURCE [FEED…]`: polls feeds once. */
export function ingestCommand(program: Command): void {
  program
    .command('ingest')
    .description('poll feeds of a source once and land the answers in Bronze')
    .argument('<source>', 'name of a contract')
    .argument('[feeds...]', 'feeds; default: all of the contract that are polled')
    .option('--at <time>', 'nominal time of the poll, UTC; default: now')
    .option('--json', 'answer with JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (source: string, feeds: string[], options: { at?: string; json?: boolean }) => {
      const nominalTime = canonicalTime(options.at ?? `${new Date().toISOString().slice(0, 19)}Z`);
      const contract = await loadContract(readEnvironment().contractsDirectory, source);
      const wanted = feeds.length ? feeds : contract.feeds.filter(isPolled).map((feed) => feed.name);
      const results = await withTemporal((client) =>
        Promise.all(
          wanted.map((feed) =>
            client.workflow.execute<(input: object) => Promise<PollResult>>('ingest', {
              workflowId: ingestId(source, feed, nominalTime),
              taskQueue: TASK_QUEUE,
              args: [{ source, feed, nominalTime }],
              workflowIdConflictPolicy: 'USE_EXISTING',
            }),
          ),
        ),
      );
      const lines = results.map((result, index) => {
        const landed = result.alreadyLanded ? 'landed before' : result.state;
        return `${wanted[index]}  ${landed}  ${result.records} records, ${result.published} published  ${result.object}`;
      });
      answer(options, results, lines);
    });
}
