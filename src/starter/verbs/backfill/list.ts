import type { Command } from 'commander';
import { PARTITION, SOURCE, STAGE } from '../../../workflows/search-attributes.ts';
import { answer } from '../../output.ts';
import { withTemporal } from '../../session.ts';

const MOST = 50;

/** `cupel backfill list`. */
export function listCommand(backfill: Command): void {
  backfill
    .command('list')
    .description('the newest backfills')
    .option('--source <source>', 'of one source')
    .option('--open', 'only those that run')
    .option('--json', 'answer with JSON')
    .action(async (options: { source?: string; open?: boolean; json?: boolean }) =>
      withTemporal(async (client) => {
        const query = [
          `WorkflowType = 'backfill'`,
          ...(options.source ? [`CupelSource = '${options.source.replaceAll("'", '')}'`] : []),
          ...(options.open ? [`ExecutionStatus = 'Running'`] : []),
        ].join(' AND ');
        const found = [];
        for await (const { workflowId, status, startTime, closeTime, typedSearchAttributes } of client.workflow.list({
          query,
        })) {
          // A run that continued as another one is the same backfill.
          if (status.name === 'CONTINUED_AS_NEW') continue;
          const attributes = {
            source: typedSearchAttributes.get(SOURCE) ?? '',
            stage: typedSearchAttributes.get(STAGE) ?? '',
            range: typedSearchAttributes.get(PARTITION) ?? '',
          };
          found.push({ workflowId, status: status.name, ...attributes, started: startTime, ended: closeTime ?? null });
          if (found.length === MOST) break;
        }
        const lines = found.map(
          ({ workflowId, status, stage, started }) =>
            `${status.padEnd(10)} ${stage.padEnd(11)} ${started.toISOString().slice(0, 19)}Z  ${workflowId}`,
        );
        answer(options, found, lines.length ? lines : ['no backfill is known']);
      }),
    );
}
