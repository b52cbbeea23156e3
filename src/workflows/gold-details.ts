import type { FailedAssertion, GoldDay } from '../activities/gold.ts';
import type { Place } from './gold-turn-messages.ts';
import type { NightlyGoldResult } from './nightly-gold.ts';

// What Temporal's Web UI shows of a night, and of the turns: in the first line how it is, in the last what to type.

const SHOWN = 10;

const lines = (...parts: (string | string[])[]): string => parts.flat().join('\n');

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');

/** While partitions are waited for. */
export function waitingDetails(date: string, { expected, lateSlots, late }: GoldDay, end: number): string {
  return lines(
    `**Gold of ${date}** waits for ${lateSlots} of ${expected} slots, at most until ${new Date(end).toISOString()}`,
    '',
    lateList(late, lateSlots),
    '',
    `Go on without them: \`temporal workflow signal --workflow-id gold/${date} --name goOn\``,
  );
}

function lateList(late: string[], count: number): string[] {
  const more = count - Math.min(count, SHOWN);
  return [...late.slice(0, SHOWN).map((slot) => `- ${slot}`), ...(more ? [`- and ${more} more`] : [])];
}

/** When it ended well. */
export function goldDetails(
  date: string,
  { state, asOf, bytes, late, lateSlots, freshness }: NightlyGoldResult,
): string {
  const stale = freshness.filter((of) => of.state === 'stale');
  const rows = freshness.map(
    (of) =>
      `| ${of.table} | ${of.state === 'stale' ? '**stale**' : of.state} | ${of.newest ?? 'no row'} | ${hours(of.ageSeconds)} | ${hours(of.promisedSeconds)} |`,
  );
  return lines(
    `**Gold of ${date}**: ${state}${asOf ? `, Silver as of ${asOf}` : ''}, ${bytes} bytes by dry run`,
    stale.length ? ['', `**${stale.length} of ${freshness.length} tables are stale**`] : [],
    rows.length ? ['', '| table | | newest | age | promised |', '| --- | --- | --- | --- | --- |', ...rows] : [],
    lateSlots ? ['', `**${lateSlots} slots were not there** and are not in it:`, '', ...lateList(late, lateSlots)] : [],
    lateSlots ? ['', `When they are: \`cupel gold run --date ${date}\``] : [],
  );
}

const hours = (seconds: number | null): string => (seconds === null ? '' : `${Math.round(seconds / 360) / 10} h`);

/** When assertions failed: Gold has been written. */
export function assertionDetails(date: string, assertions: FailedAssertion[]): string {
  const [first] = assertions;
  return lines(
    `**Gold of ${date}: ${assertions.length} assertions failed.** The tables have been written; tell their readers.`,
    '',
    '| assertion | found |',
    '| --- | --- |',
    assertions.slice(0, SHOWN).map(({ assertion, reason }) => `| ${assertion} | ${cell(reason)} |`),
    '',
    `Failing rows: \`cupel gold show\`${first ? `, or all: \`bq query --use_legacy_sql=false 'SELECT * FROM ${first.assertion}'\`` : ''}`,
    '',
    `When the data or the assertion is mended: \`cupel gold run --date ${date}\``,
  );
}

/** When it failed otherwise. */
export function failureDetails(date: string, code: string, message: string): string {
  return lines(
    `**Gold of ${date} failed: ${code}.** The tables are as the last good run left them, or half of them new.`,
    '',
    cell(message).slice(0, 1000),
    '',
    `What the code means: docs/errors.md. Then: \`cupel gold run --date ${date}\``,
  );
}

/** Who makes Gold, and who waits for that. */
export function turnDetails([holder, ...waiting]: Place[]): string {
  if (!holder) return `**Gold's turn** is nobody's`;
  const shown = waiting.slice(0, SHOWN).map(({ workflowId, since }) => `- \`${workflowId}\`, since ${since}`);
  const more = waiting.length - shown.length;
  return lines(
    `**Gold's turn** is that of \`${holder.workflowId}\`, since ${holder.since}; ${waiting.length} wait`,
    shown.length ? ['', ...shown] : [],
    more ? [`- and ${more} more`] : [],
    '',
    `Where it hangs: \`temporal workflow describe --workflow-id ${holder.workflowId}\`; ended, it loses the turn`,
  );
}
