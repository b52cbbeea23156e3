import type { StreamState } from './messages.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** What to type, where somebody should. */
function todo(source: string, { phase, lastFailure }: StreamState): string[] {
  if (phase === 'open')
    return ['', `Mend what \`${lastFailure?.code ?? ''}\` says, then \`cupel stream resume ${source}\`.`];
  return [];
}

/** What Temporal's Web UI shows of a stream, in markdown. */
export function streamDetails(source: string, state: StreamState): string {
  const { job, contract, follow, lastFailure } = state;
  const rows: [string, string][] = [
    ['job', job ? `${job.jobName} ${job.jobId}` : 'none'],
    ['contract', contract?.hash.slice(0, 12) ?? ''],
    [
      'settled',
      `${state.messages} messages in ${state.batches} batches, through ${state.settledThrough ?? 'nothing yet'}`,
    ],
    ['not settled', `${follow.open.length} batches, the oldest message ${state.lagSeconds} s old`],
    ['dropped as late', String(state.droppedAsLate)],
    ['launches', `${state.launches}, ${state.failures} failures in a row`],
    ['last failure', lastFailure ? `${lastFailure.at} \`${lastFailure.code}\` ${cell(lastFailure.message)}` : 'none'],
    ['replay from', state.replayFrom ?? 'nothing'],
  ];
  return [
    `**${source}** streams: ${state.phase}`,
    ...['', '| | |', '| --- | --- |'],
    ...rows.map(([name, text]) => `| ${name} | ${text} |`),
    ...todo(source, state),
  ].join('\n');
}
