import { once } from 'node:events';
import { machineSeconds, peakRssOf } from './proc.ts';
import { ProcessGroup } from './process-group.ts';
import type { GroupCommand } from './process-group.ts';

/** What a command took, from the start of its process to its end. */
export interface ProcessCost {
  wallSeconds: number;
  /** CPU of the command and of all that it started. */
  cpuSeconds: number;
  /** CPU of the stand-ins for bought services meanwhile. */
  asideCpuSeconds: number;
  /** CPU that anybody else on this machine used meanwhile. */
  otherCpuSeconds: number;
  peakRssMb: number;
}

/** Often enough that what a process takes in its last moments hardly counts; the kernel keeps the peak. */
const LOOK_EVERY_MS = 50;

/**
 * Runs a command to its end and tells what it took.
 *
 * @param name of the group; its log is the command's
 * @param aside stand-ins that work for it
 * @throws Error that names the log where the command fails
 */
export async function processCost(
  name: string,
  command: GroupCommand,
  aside: readonly ProcessGroup[] = [],
): Promise<ProcessCost> {
  const group = new ProcessGroup(name);
  const asideSeconds = (): number => aside.reduce((sum, one) => sum + one.cpuSeconds(), 0);
  const before = { aside: asideSeconds(), machine: machineSeconds() };
  let peak = 0;
  const look = setInterval(() => {
    group.look();
    peak = Math.max(peak, peakRssOf(group.pids()));
  }, LOOK_EVERY_MS);
  try {
    const started = performance.now();
    const [code] = (await once(group.spawn(command), 'exit')) as [number | null];
    const wallSeconds = (performance.now() - started) / 1000;
    if (code !== 0) throw new Error(`${name} ended with ${String(code)}: see ${command.logFile}`);
    const cpuSeconds = group.cpuSeconds();
    const asideCpuSeconds = asideSeconds() - before.aside;
    const otherCpuSeconds = machineSeconds() - before.machine - cpuSeconds - asideCpuSeconds;
    return { wallSeconds, cpuSeconds, asideCpuSeconds, otherCpuSeconds, peakRssMb: peak };
  } finally {
    clearInterval(look);
    await group.close();
  }
}
