import type { Command } from 'commander';
import { controlCommands } from './control.ts';
import { listCommand } from './list.ts';
import { planCommand } from './plan.ts';
import { retryCommand } from './retry.ts';
import { showCommand } from './show.ts';
import { startCommand } from './start.ts';

const EXAMPLES = `
Examples:
  $ cupel backfill plan earthquakes --from 2025-05-04 --to 2025-05-15      # changes nothing
  $ cupel backfill start earthquakes --from 2025-05-04 --to 2025-05-15 --follow
  $ cupel backfill show earthquakes                                        # the newest one of the source
  $ cupel backfill pause earthquakes --reason "quota is needed elsewhere"
  $ cupel backfill retry backfill/earthquakes/2025-05-04T00:00:00Z/2025-05-15T00:00:00Z

The same by Temporal's own command line:
  $ temporal workflow start --type backfill --task-queue cupel \\
      --input '{"source":"earthquakes","from":"2025-05-04","to":"2025-05-15"}'
  $ temporal workflow update execute --workflow-id ID --name pause --input '{"reason":"..."}'`;

/** `cupel backfill plan|start|list|show|pause|resume|set|retry|stop|cancel|approve|reject`. */
export function backfillCommand(program: Command): void {
  const backfill = program
    .command('backfill')
    .description('process a range of the past, and watch and steer it')
    .addHelpText('after', EXAMPLES);
  for (const add of [planCommand, startCommand, listCommand, showCommand, retryCommand, controlCommands]) add(backfill);
}
