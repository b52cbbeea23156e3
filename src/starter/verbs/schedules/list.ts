import type { Command } from 'commander';
import { readEnvironment } from '../../../gcp/env.ts';
import { readStates } from '../../../schedules/index.ts';
import type { ScheduleRow } from '../../../schedules/index.ts';
import { answer } from '../../output.ts';
import { withTemporal } from '../../session.ts';

const GOOD = new Set(['COMPLETED', 'RUNNING', 'CONTINUED_AS_NEW', 'FORGOTTEN']);

function word({ paused, last }: ScheduleRow): string {
  if (paused !== null) return 'PAUSED';
  return last && !GOOD.has(last.status) ? last.status : 'ok';
}

function linesOf(row: ScheduleRow, width: number): string[] {
  const { id, when, paused, last, next, missed, skipped } = row;
  const seen = last ? `last ${last.at} ${last.status.toLowerCase()}` : 'never ran';
  const lost = [missed ? `${missed} missed` : '', skipped ? `${skipped} skipped` : ''].filter(Boolean).join(', ');
  const state = word(row);
  return [
    `${state.padEnd(9)} ${id.padEnd(width)}  ${when}; ${seen}${next ? `, next ${next}` : ''}${lost ? ` (${lost})` : ''}`,
    ...(paused === null ? [] : [`          ${paused}`, `          $ cupel schedules resume ${id}`]),
    ...(state === 'ok' || state === 'PAUSED' || !last
      ? []
      : [`          $ temporal workflow show --workflow-id '${last.workflowId}'`]),
  ];
}

/** What is wrong first: who reads it at night reads the first lines. */
const byTrouble = (a: ScheduleRow, b: ScheduleRow): number => Number(word(a) === 'ok') - Number(word(b) === 'ok');

/** `cupel schedules list`. */
export function listCommand(schedules: Command): void {
  schedules
    .command('list')
    .description('what runs when, and how the last run ended; what is wrong comes first')
    .option('--json', 'answer with JSON')
    .action((options: { json?: boolean }) =>
      withTemporal(async (client) => {
        const rows = (await readStates(client, readEnvironment().name)).sort(byTrouble);
        const width = Math.max(...rows.map(({ id }) => id.length), 0);
        const lines = rows.flatMap((row) => linesOf(row, width));
        answer(options, rows, lines.length ? lines : ['there are none: cupel schedules apply']);
      }),
    );
}
