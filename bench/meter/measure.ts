import { setTimeout as delay } from 'node:timers/promises';
import type { Contender, RunSettings } from '../contender.ts';
import { machineSeconds, memoryOf } from './proc.ts';
import type { ProcessGroup } from './process-group.ts';
import { countSteps, partitionsDone } from './step-ledger.ts';
import type { StepCounts } from './step-ledger.ts';

/** What became of one run; one JSON line. */
export interface Result {
  tool: string;
  variant: string;
  partitions: number;
  concurrency: number;
  stepMs: number;
  wasKillRun: boolean;
  /** Seconds from the submit until the tool itself said that all is done. */
  wallSeconds: number;
  partitionsPerSecond: number;
  /** CPU of everything the tool ran: servers, workers, the submitting command. */
  cpuSeconds: number;
  cpuMsPerPartition: number;
  cpuBy: Record<string, number>;
  /** CPU of the stand-ins for bought services. */
  asideCpuSeconds: number;
  /** CPU that anybody else on this machine used meanwhile: where it is high, the wall time means little. */
  otherCpuSeconds: number;
  cpuMethod: 'cgroup' | 'proc';
  peakRssMb: number;
  peakPssMb: number;
  peakProcesses: number;
  steps: StepCounts;
  stored: Record<string, number | string>;
  killed?: { atSeconds: number; doneBefore: number; processes: number };
  /** Why it was stopped before the tool said that it is done. */
  unfinished?: string;
  at: string;
}

/** How long a run may take, and whether its executing processes are killed. */
export interface MeasureOptions {
  /** Kills the executing processes when half of the partitions are done, and starts them again after a while. */
  kill: boolean;
  capSeconds: number;
  /** Seconds without a further partition until a run counts as stuck. */
  stallSeconds: number;
}

const LOOK_EVERY_MS = 500;
const ASK_EVERY_MS = 100;
const DOWN_MS = 5_000;

const round = (value: number, digits = 1): number => Number(value.toFixed(digits));
const total = (groups: ProcessGroup[]): number => groups.reduce((sum, group) => sum + group.cpuSeconds(), 0);

/** Highest memory and number of processes since the start. */
function watch(groups: ProcessGroup[]): { peak: { rss: number; pss: number; processes: number }; stop(): void } {
  const peak = { rss: 0, pss: 0, processes: 0 };
  const timer = setInterval(() => {
    groups.forEach((group) => group.look());
    const pids = groups.flatMap((group) => group.pids());
    const { rss, pss } = memoryOf(pids);
    peak.rss = Math.max(peak.rss, rss);
    peak.pss = Math.max(peak.pss, pss);
    peak.processes = Math.max(peak.processes, pids.length);
  }, LOOK_EVERY_MS);
  return { peak, stop: () => clearInterval(timer) };
}

async function killHalfway(contender: Contender, started: number, done: number): Promise<Result['killed']> {
  const atSeconds = round((Date.now() - started) / 1000);
  const processes = await contender.executing.kill9();
  await delay(DOWN_MS);
  contender.restart();
  return { atSeconds, doneBefore: done, processes };
}

async function waitUntilDone(
  contender: Contender,
  settings: RunSettings,
  options: MeasureOptions,
): Promise<Pick<Result, 'killed' | 'unfinished'>> {
  const started = Date.now();
  let killed: Result['killed'];
  let last = { done: 0, at: started };
  while (!(await contender.finished())) {
    const done = partitionsDone(settings.ledger);
    if (done > last.done) last = { done, at: Date.now() };
    if (options.kill && !killed && done >= settings.partitions / 2)
      killed = await killHalfway(contender, started, done);
    const stuck = Date.now() - last.at > options.stallSeconds * 1000;
    if (stuck || Date.now() - started > options.capSeconds * 1000) {
      const unfinished = stuck ? `no progress for ${options.stallSeconds} s` : `over ${options.capSeconds} s`;
      return { unfinished, ...(killed ? { killed } : {}) };
    }
    await delay(ASK_EVERY_MS);
  }
  return killed ? { killed } : {};
}

/** Asks for the backfill and measures until it is done. */
export async function measure(contender: Contender, settings: RunSettings, options: MeasureOptions): Promise<Result> {
  const { groups, aside } = contender;
  const before = { own: groups.map((group) => group.cpuSeconds()), aside: total(aside), machine: machineSeconds() };
  const memory = watch(groups);
  const started = Date.now();
  contender.submit();
  const end = await waitUntilDone(contender, settings, options);
  const wall = (Date.now() - started) / 1000;
  memory.stop();
  const by = groups.map((group, index) => [group.name, round(group.cpuSeconds() - (before.own[index] ?? 0))] as const);
  const cpu = total(groups) - before.own.reduce((sum, used) => sum + used, 0);
  const asideCpu = total(aside) - before.aside;
  const steps = countSteps(settings.ledger);
  return {
    tool: contender.tool,
    variant: contender.variant,
    partitions: settings.partitions,
    concurrency: settings.concurrency,
    stepMs: settings.stepMs,
    wasKillRun: options.kill,
    wallSeconds: round(wall),
    partitionsPerSecond: round(steps.done / wall, 2),
    cpuSeconds: round(cpu),
    cpuMsPerPartition: Math.round((1000 * cpu) / Math.max(1, steps.done)),
    cpuBy: Object.fromEntries(by),
    asideCpuSeconds: round(asideCpu),
    otherCpuSeconds: round(machineSeconds() - before.machine - cpu - asideCpu),
    cpuMethod: groups.some((group) => group.method === 'proc') ? 'proc' : 'cgroup',
    peakRssMb: Math.round(memory.peak.rss),
    peakPssMb: Math.round(memory.peak.pss),
    peakProcesses: memory.peak.processes,
    steps,
    stored: await contender.stored(),
    ...end,
    at: new Date().toISOString(),
  };
}
