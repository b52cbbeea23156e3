import { machineSeconds } from '../meter/proc.ts';
import type { ProcessGroup } from '../meter/process-group.ts';

/**
 * Begins to count the CPU that nobody of ours uses: figures beside much of it are not worth much.
 *
 * @param ours groups of our processes; this process is ours too
 * @returns tells the seconds so far, less those of processes that are in no group
 */
export function countOthers(ours: readonly ProcessGroup[]): (besides: number) => number {
  const own = (): number => {
    const { user, system } = process.cpuUsage();
    return ours.reduce((sum, group) => sum + group.cpuSeconds(), (user + system) / 1e6);
  };
  const before = machineSeconds() - own();
  return (besides) => machineSeconds() - own() - besides - before;
}
