import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import { readEnvironment } from '../../../gcp/env.ts';
import type { CupelEnvironment } from '../../../gcp/env.ts';
import { listSources, loadContract } from '../../../lakehouse/contract-store.ts';
import { applyChanges, findChanges, readSchedules } from '../../../schedules/index.ts';
import type { Change, DeclaredSchedule } from '../../../schedules/index.ts';
import { answer } from '../../output.ts';
import { withTemporal } from '../../session.ts';

interface ApplyOptions {
  dryRun?: boolean;
  delete?: boolean;
  json?: boolean;
}

async function declared({ contractsDirectory, schedulesFile }: CupelEnvironment): Promise<DeclaredSchedule[]> {
  const sources = await listSources(contractsDirectory);
  const contracts = await Promise.all(sources.map((source) => loadContract(contractsDirectory, source)));
  return readSchedules(schedulesFile, contracts);
}

const SIGNS: Record<Change['action'], string> = { create: '+', update: '~', pause: '‖', delete: '-', keep: '=' };

function linesOf(change: Change): string[] {
  const { id, action, paused } = change;
  const stays = paused ? ` (stays paused: ${paused})` : '';
  const head = `${SIGNS[action]} ${id}${action === 'delete' ? '' : stays}`;
  if (action === 'create') return [head, ...Object.entries(change.shape).map(([name, to]) => `    ${name}: ${to}`)];
  if (action === 'update')
    return [head, ...change.differences.map(({ field, from, to }) => `    ${field}: ${from} → ${to}`)];
  if (action === 'keep') return paused ? [head] : [];
  return [`${head}  vanished from the files: ${action === 'pause' ? 'paused with a note' : 'deleted'}`];
}

function summary(changes: Change[], dryRun: boolean): string {
  const count = (action: Change['action']): number => changes.filter((change) => change.action === action).length;
  const counts = `${count('create')} created, ${count('update')} updated, ${count('pause')} paused, ${count('delete')} deleted, ${count('keep')} unchanged`;
  return dryRun ? `${counts}: nothing was changed (--dry-run)` : counts;
}

async function apply(client: Client, options: ApplyOptions): Promise<void> {
  const environment = readEnvironment();
  const schedules = await declared(environment);
  const changes = await findChanges(client, schedules, environment.name, options.delete);
  if (!options.dryRun) await applyChanges(client, changes, schedules, environment.name);
  answer(options, changes, [...changes.flatMap(linesOf), summary(changes, options.dryRun ?? false)]);
}

/** `cupel schedules apply`. */
export function applyCommand(schedules: Command): void {
  schedules
    .command('apply')
    .description(
      "make Temporal's schedules as the files declare them, and show what changed; doing it again changes nothing",
    )
    .option('--dry-run', 'only show what would change')
    .option('--delete', 'delete what vanished from the files; default: pause it with a note')
    .option('--json', 'answer with JSON')
    .action((options: ApplyOptions) => withTemporal((client) => apply(client, options)));
}
