import type { ParityResult } from './parity-messages.ts';
import type { Range } from './range.ts';

function table({ keys, counts, failed, unsettled, reportUri }: ParityResult): string[] {
  const kinds = Object.entries(counts);
  return [
    '',
    `| keys | ${kinds.map(([kind]) => `${kind} | `).join('')}partitions failed | batches unsettled |`,
    `| --- | ${kinds.map(() => '--- | ').join('')}--- | --- |`,
    `| ${keys} | ${kinds.map(([, count]) => `${count} | `).join('')}${failed.length} | ${unsettled} |`,
    ...(reportUri ? ['', `Both versions of each key: ${reportUri}`] : []),
  ];
}

/** What the page of a comparison tells in Temporal Web UI, as Markdown. */
export function parityDetails(source: string, range: Range | undefined, doing: string, result?: ParityResult): string {
  const what = range ? `${range.from} to ${range.to}` : 'all of Bronze';
  const verdict = result && `**${source}** over ${what}: ${result.equal ? 'equal' : 'not equal'}`;
  return [verdict ?? `Parity of **${source}** over ${what}: ${doing}`, ...(result ? table(result) : [])].join('\n');
}
