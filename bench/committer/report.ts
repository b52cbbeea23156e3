import type { ProcessCost } from '../meter/process-cost.ts';
import { lay } from '../table.ts';

/** One commit, measured. */
export interface Measured {
  tableRows: number;
  /** Bytes of the table's live data files before the commit. */
  tableBytes: number;
  deltaRows: number;
  deltaBytes: number;
  bytesWritten: number;
  cost: ProcessCost;
}

const HEAD = [
  'table rows',
  'table MB',
  'delta rows',
  'delta MB',
  'seconds',
  'written MB',
  'written ÷ delta',
  'written ÷ table',
  'CPU s',
  'stand-ins CPU s',
  'peak RSS MB',
  'other CPU s',
];

const mb = (bytes: number): string => (bytes / 1e6).toFixed(1);

/** What each commit took. */
export function commitTable(all: Measured[]): string {
  const rows = all.map(({ tableRows, tableBytes, deltaRows, deltaBytes, bytesWritten, cost }) => [
    tableRows.toLocaleString('en'),
    mb(tableBytes),
    deltaRows.toLocaleString('en'),
    (deltaBytes / 1e6).toFixed(2),
    cost.wallSeconds.toFixed(1),
    mb(bytesWritten),
    (bytesWritten / deltaBytes).toFixed(1),
    (bytesWritten / tableBytes).toFixed(2),
    cost.cpuSeconds.toFixed(1),
    cost.asideCpuSeconds.toFixed(1),
    cost.peakRssMb.toFixed(0),
    cost.otherCpuSeconds.toFixed(1),
  ]);
  return lay([HEAD, ...rows]);
}

const LARGE = 10e9;

/** The line through two points, at another place. */
function extrapolate(x: [number, number], y: [number, number], at: number): number {
  return y[0] + ((y[1] - y[0]) / (x[1] - x[0])) * (at - x[0]);
}

/**
 * What a commit into 10 GB would take by the straight line through the smallest and the largest table that were measured: an
 * extrapolation, not a measurement. It holds while the keys of a batch are spread over all files of the table.
 */
export function lawText(all: Measured[]): string {
  const lines = [...Map.groupBy(all, ({ deltaRows }) => deltaRows)].flatMap(([deltaRows, measured]) => {
    const [small, ...others] = measured.toSorted((a, b) => a.tableBytes - b.tableBytes);
    const large = others.at(-1);
    if (!small || !large) return [];
    const along = (of: (one: Measured) => number): number =>
      extrapolate([small.tableBytes, large.tableBytes], [of(small), of(large)], LARGE);
    const written = (along(({ bytesWritten }) => bytesWritten) / 1e9).toFixed(1);
    const seconds = Math.round(along(({ cost }) => cost.wallSeconds));
    const cpu = Math.round(along(({ cost }) => cost.cpuSeconds));
    return `${deltaRows.toLocaleString('en')} rows into 10 GB: ${written} GB written, ${seconds} s, ${cpu} s of CPU`;
  });
  return ['By the line through the two sizes (extrapolated):', ...lines].join('\n');
}
