import type { ProcessCost } from '../meter/process-cost.ts';
import { lay } from '../table.ts';
import type { FileContender } from './peers.ts';
import { TITLES } from './peers.ts';
import { PHASES } from './phases.ts';
import type { Phases } from './phases.ts';

const HEAD = [
  'contender',
  'wall s',
  'records/s',
  "Cupel's speed is",
  'CPU s',
  'stand-ins CPU s',
  'peak RSS MB',
  'other CPU s',
];

/** What each contender took, and how many times its speed Cupel has. */
export function costTable(records: number, costs: Map<FileContender | 'cupel', ProcessCost>): string {
  const cupel = costs.get('cupel')?.wallSeconds ?? NaN;
  const rows = [...costs].map(([name, cost]) => [
    TITLES[name],
    cost.wallSeconds.toFixed(2),
    Math.round(records / cost.wallSeconds).toLocaleString('en'),
    name === 'cupel' ? '' : `${(cost.wallSeconds / cupel).toFixed(2)} ×`,
    cost.cpuSeconds.toFixed(1),
    cost.asideCpuSeconds.toFixed(1),
    cost.peakRssMb.toFixed(0),
    cost.otherCpuSeconds.toFixed(1),
  ]);
  return lay([HEAD, ...rows]);
}

/** Where Cupel's CPU time goes, of a run with Node's profiler on. */
export function phaseTable(phases: Phases, cost: ProcessCost): string {
  const total = PHASES.reduce((sum, name) => sum + phases[name], 0);
  const rows = PHASES.map((name) => [name, phases[name].toFixed(2), `${((100 * phases[name]) / total).toFixed(0)} %`]);
  const table = lay([['phase', 'CPU s, all threads', 'share'], ...rows]);
  return `Where the time goes (profiled run, ${cost.wallSeconds.toFixed(2)} s)\n\n${table}`;
}
