import type { Result } from './meter/measure.ts';

/** Cells of a table's line. */
export type Row = string[];

/** A table in markdown; the first row is its head. */
export function lay(rows: Row[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: Row): string => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = rows;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

const storedText = (result: Result): string =>
  Object.entries(result.stored)
    .filter(([name]) => name !== 'runs')
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');

const SPEED_HEAD = [
  'tool',
  'on',
  'N',
  'wall s',
  'partitions/s',
  'CPU ms/partition',
  'stand-ins ms/partition',
  'peak RSS / PSS MB',
  'processes',
  'stored',
  'other CPU s',
];

function speedRow(result: Result): Row {
  return [
    result.unfinished ? `${result.tool} (${result.unfinished})` : result.tool,
    result.variant,
    String(result.partitions),
    String(result.wallSeconds),
    String(result.partitionsPerSecond),
    String(result.cpuMsPerPartition),
    String(Math.round((result.asideCpuSeconds * 1000) / Math.max(1, result.steps.done))),
    `${result.peakRssMb} / ${result.peakPssMb}`,
    String(result.peakProcesses),
    storedText(result),
    String(result.otherCpuSeconds),
  ];
}

const KILL_HEAD = [
  'tool',
  'N',
  'by itself',
  'done',
  'steps again',
  'ended twice',
  'partitions again',
  'extra s',
  'left',
];

/** How many steps ended twice, and which. */
function endedTwice({ endedTwice: count, endedTwiceBy }: Result['steps']): string {
  const by = Object.entries(endedTwiceBy).map(([step, times]) => `${step} ${times}`);
  return by.length ? `${count}: ${by.join(', ')}` : String(count);
}

function killRow(result: Result, undisturbed: Result | undefined): Row {
  const extra = undisturbed ? (result.wallSeconds - undisturbed.wallSeconds).toFixed(1) : '';
  return [
    result.tool,
    String(result.partitions),
    result.unfinished ? `no: ${result.unfinished}` : 'yes',
    `${result.steps.done}/${result.partitions}`,
    String(result.steps.startedAgain),
    endedTwice(result.steps),
    String(result.steps.partitionsAgain),
    result.unfinished ? '' : extra,
    String(result.stored.runs ?? ''),
  ];
}

/** How many times a peer's figure is Cupel's, in this very run. */
function ratios(cupel: Result, peers: Result[]): string[] {
  return peers
    .filter(({ unfinished }) => !unfinished)
    .map((peer) => {
      const cpu = (peer.cpuMsPerPartition / cupel.cpuMsPerPartition).toFixed(1);
      const rate = (cupel.partitionsPerSecond / peer.partitionsPerSecond).toFixed(1);
      const memory = (peer.peakPssMb / cupel.peakPssMb).toFixed(1);
      return `${peer.tool} against ${cupel.tool}: ${cpu} times the CPU, ${memory} times the memory (PSS), 1/${rate} of the rate`;
    });
}

/** The results for a person, in markdown: speed, ratios, and what became of kills. */
export function table(results: Result[]): string {
  const speed = results.filter(({ stepMs }) => stepMs === 0);
  const undisturbed = (tool: string): Result | undefined =>
    results.find((result) => result.tool === tool && result.stepMs > 0 && !result.wasKillRun);
  const kills = results.filter(({ wasKillRun }) => wasKillRun);
  const parts = [lay([SPEED_HEAD, ...speed.map(speedRow)])];
  const [cupel, ...peers] = speed;
  if (cupel?.tool === 'Cupel' && peers.length) parts.push(ratios(cupel, peers).join('\n'));
  if (kills.length) parts.push(lay([KILL_HEAD, ...kills.map((result) => killRow(result, undisturbed(result.tool)))]));
  return parts.join('\n\n');
}
