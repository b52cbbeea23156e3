import type { Client, ScheduleHandle } from '@temporalio/client';
import type { Command } from 'commander';
import { readEnvironment } from '../../../gcp/env.ts';
import { ownedHandle } from '../../../schedules/index.ts';
import { canonicalRange } from '../../../workflows/range.ts';
import { answer } from '../../output.ts';
import { withTemporal } from '../../session.ts';

const WHICH = 'id, as cupel schedules list shows it';

/** Does something with a schedule that is ours, and says so. */
async function withSchedule(
  id: string,
  work: (handle: ScheduleHandle, client: Client) => Promise<string>,
): Promise<void> {
  await withTemporal(async (client) => {
    const handle = await ownedHandle(client, id, readEnvironment().name);
    answer({}, null, [await work(handle, client)]);
  });
}

/**
 * Ticks of the past. The server compares the end with the time after jitter, so the end moves by as much; never beyond now.
 *
 * @param range half-open
 */
async function backfill(handle: ScheduleHandle, range: { from: string; to: string }): Promise<void> {
  const { spec } = await handle.describe();
  const jitter = spec.jitter ?? 0;
  const end = Math.min(Date.now(), Date.parse(range.to) - 1000 + jitter);
  await handle.backfill({ start: new Date(Date.parse(range.from) - 1000), end: new Date(end), overlap: 'BUFFER_ALL' });
}

/** `cupel schedules pause|resume|trigger|backfill|delete`. */
export function controlCommands(schedules: Command): void {
  schedules
    .command('pause')
    .description('start nothing until it is resumed; apply leaves it paused')
    .argument('<id>', WHICH)
    .option('--note <text>', 'shown to whoever wonders', 'paused by cupel schedules pause')
    .action((id: string, { note }: { note: string }) =>
      withSchedule(id, async (handle) => handle.pause(note).then(() => `${id} is paused: ${note}`)),
    );
  schedules
    .command('resume')
    .description('go on after a pause; ticks of the pause are not made up for')
    .argument('<id>', WHICH)
    .option('--note <text>', 'kept with the schedule', 'resumed by cupel schedules resume')
    .action((id: string, { note }: { note: string }) =>
      withSchedule(id, async (handle) => handle.unpause(note).then(() => `${id} runs again`)),
    );
  schedules
    .command('trigger')
    .description('tick now; its nominal time is now')
    .argument('<id>', WHICH)
    .action((id: string) =>
      withSchedule(id, async (handle) => handle.trigger().then(() => `${id} ticks now: cupel schedules list`)),
    );
  schedules
    .command('backfill')
    .description('tick for nominal times of the past, one after the other')
    .argument('<id>', WHICH)
    .requiredOption('--from <time>', 'UTC, included; a date is its midnight')
    .requiredOption('--to <time>', 'UTC, not included')
    .action((id: string, options: { from: string; to: string }) =>
      withSchedule(id, async (handle) => {
        const range = canonicalRange(options);
        await backfill(handle, range);
        return `${id} ticks for ${range.from} to ${range.to}, one after the other`;
      }),
    );
  schedules
    .command('delete')
    .description('delete it; apply makes it again while the files declare it')
    .argument('<id>', WHICH)
    .action((id: string) => withSchedule(id, async (handle) => handle.delete().then(() => `${id} is deleted`)));
}
