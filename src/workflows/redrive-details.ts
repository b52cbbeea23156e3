import type { RedriveState } from './redrive-messages.ts';

/** What Temporal's Web UI shows of a re-drive, in markdown. */
export function redriveDetails({ plan, redriven }: RedriveState, now: string): string {
  const { counts, left } = plan;
  return [
    now,
    '',
    `${counts.quarantined} in quarantine, the current contract accepts ${counts.accepted}; re-driven ${redriven}, left for another run ${left}`,
    '',
    '| reason | in quarantine | accepted now |',
    '| --- | --- | --- |',
    ...counts.byReason.map((of) => `| ${of.reasonCode} | ${of.quarantined} | ${of.accepted} |`),
  ].join('\n');
}
