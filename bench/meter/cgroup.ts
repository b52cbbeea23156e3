import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A control group (version 2) of our own: the kernel counts its CPU time to the microsecond, dead processes included. */
export interface ControlGroup {
  /** Takes a process in; what it starts from now on is in too. */
  add(pid: number): void;
  pids(): number[];
  cpuSeconds(): number;
  /** Only when no process is left. */
  remove(): Promise<void>;
}

function ownDirectory(): string | undefined {
  const mount = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((line) => line.includes(' - cgroup2 '))
    ?.split(' ')[4];
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
  return mount === undefined || own === undefined ? undefined : path.join(mount, own);
}

/** A process that was killed stays for a moment, until its parent has heard of it. */
async function removeDirectory(directory: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      return rmdirSync(directory);
    } catch {
      await delay(50);
    }
  }
}

/** Makes a control group; undefined where this user may not, or there is none of version 2. */
export function createControlGroup(name: string): ControlGroup | undefined {
  try {
    const parent = ownDirectory();
    if (parent === undefined) return undefined;
    const directory = path.join(parent, `cupel-bench-${process.pid}-${name}`);
    mkdirSync(directory);
    const read = (file: string): string => readFileSync(path.join(directory, file), 'utf8');
    read('cpu.stat');
    return {
      add: (pid) => writeFileSync(path.join(directory, 'cgroup.procs'), String(pid)),
      pids: () => read('cgroup.procs').split('\n').filter(Boolean).map(Number),
      cpuSeconds: () => Number(/^usage_usec (\d+)/m.exec(read('cpu.stat'))?.[1] ?? 0) / 1e6,
      remove: () => removeDirectory(directory),
    };
  } catch {
    return undefined;
  }
}
