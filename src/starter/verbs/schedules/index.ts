import type { Command } from 'commander';
import { applyCommand } from './apply.ts';
import { controlCommands } from './control.ts';
import { listCommand } from './list.ts';

const EXAMPLES = `
Examples:
  $ cupel schedules apply --dry-run          # what would change
  $ cupel schedules apply
  $ cupel schedules list                     # what runs when, and how the last run ended
  $ cupel schedules pause ingest/earthquakes/all_hour --note "the feed is moved"
  $ cupel schedules backfill nightlyGold --from 2025-05-01 --to 2025-05-04   # a few nights; for history: cupel backfill`;

/** `cupel schedules apply|list|pause|resume|trigger|backfill|delete`. */
export function schedulesCommand(program: Command): void {
  const schedules = program
    .command('schedules')
    .description('what runs when: contracts and schedules.yaml are the truth')
    .addHelpText('after', EXAMPLES);
  for (const add of [applyCommand, listCommand, controlCommands]) add(schedules);
}
