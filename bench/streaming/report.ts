import { lay } from '../table.ts';
import { TITLES } from './contender.ts';
import type { Trial } from './contender.ts';
import { isHeld } from './hold.ts';

const text = (ms: number): string => (Number.isFinite(ms) ? (ms / 1000).toFixed(ms < 1000 ? 3 : 2) : 'not seen');

const number = (value: number): string => Math.round(value).toLocaleString('en');

const HEAD = [
  'contender',
  'asked/s',
  'published/s',
  'p50 s',
  'p99 s',
  'max s',
  'not seen',
  'grows s/s',
  'held',
  'CPU ms/message',
  'peak RSS MB',
  'other CPU s',
];

function row(trial: Trial): string[] {
  const { name, load, perSecond, latencies, cpuSeconds, otherCpuSeconds, memory } = trial;
  const messages = load.perSecond * load.seconds;
  return [
    TITLES[name],
    number(load.perSecond),
    number(perSecond),
    ...[latencies?.p50Ms, latencies?.p99Ms, latencies?.maxMs].map((ms) => (ms === undefined ? '' : text(ms))),
    latencies ? number(latencies.unseen) : '',
    latencies ? latencies.growth.toFixed(3) : '',
    latencies ? (isHeld(trial) ? 'yes' : 'no') : '',
    ((1000 * cpuSeconds) / messages).toFixed(3),
    memory.peakMb.toFixed(0),
    otherCpuSeconds.toFixed(1),
  ];
}

/** Trials for a person, in markdown. */
export function trialTable(trials: readonly Trial[]): string {
  return lay([HEAD, ...trials.map(row)]);
}

/** How many times another's figures are Cupel's, at the same rate and in this very run. */
export function ratios(trials: readonly Trial[]): string {
  const lines = trials.flatMap((trial) => {
    const cupel = trials.find(({ name, load }) => name === 'cupel' && load.perSecond === trial.load.perSecond);
    if (!cupel?.latencies || !trial.latencies || trial.name === 'cupel') return [];
    const of = (mine: number, theirs: number): string => `${(theirs / mine).toPrecision(2)} ×`;
    const [a, b] = [cupel.latencies, trial.latencies];
    const latencies = `${of(a.p50Ms, b.p50Ms)} the p50, ${of(a.p99Ms, b.p99Ms)} the p99`;
    const cpu = of(cupel.cpuSeconds, trial.cpuSeconds);
    return `${number(trial.load.perSecond)}/s: ${TITLES[trial.name]} against Cupel: ${latencies}, ${cpu} the CPU`;
  });
  return lines.join('\n');
}

/** Where the time of a batch's oldest message goes; empty where Cupel was not there. */
export function stageTable(trials: readonly Trial[]): string {
  const own = trials.filter(({ stages }) => stages?.length);
  if (!own.length) return '';
  const head = ['of a batch, median (most) s', ...own.map(({ load }) => `${number(load.perSecond)}/s`)];
  const names = own[0]?.stages?.map(({ name }) => name) ?? [];
  const rows = names.map((name, index) => [
    name,
    ...own.map(({ stages }) => {
      const { medianMs = NaN, maxMs = NaN } = stages?.[index] ?? {};
      return `${text(medianMs)} (${text(maxMs)})`;
    }),
  ]);
  const cpu = own.map(({ cpuBy }) => Object.entries(cpuBy).map(([name, seconds]) => `${name} ${seconds.toFixed(1)}`));
  return lay([head, ...rows, ['CPU s', ...cpu.map((parts) => parts.join(', '))]]);
}

/** Whether memory is flat: the last quarter against the second. */
export function memoryText({ load, memory, perSecond }: Trial): string {
  const [, second = NaN, , last = NaN] = memory.quartersMb;
  const quarters = memory.quartersMb.map((mb) => mb.toFixed(0)).join(', ');
  const messages = number(load.perSecond * load.seconds);
  return (
    `${messages} messages at ${number(perSecond)}/s: median RSS of the job by quarter ${quarters} MB, ` +
    `the last is ${(last / second).toFixed(2)} × the second; peak ${memory.peakMb.toFixed(0)} MB`
  );
}
