import { readdirSync, readFileSync } from 'node:fs';

/** What Linux tells about a process; times in ticks of 10 ms. */
export interface ProcessTimes {
  pid: number;
  parent: number;
  /** With the pid it names one process for ever: pids are used again. */
  startedAt: string;
  own: number;
  /** Of children that have ended and were waited for, and of theirs. */
  waited: number;
}

const TICKS_PER_SECOND = 100;

/** Seconds of so many ticks. */
export const seconds = (ticks: number): number => ticks / TICKS_PER_SECOND;

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined; // it has ended, or is not ours to see
  }
}

/** Every process there is. */
export function processIds(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Times of a process (proc_pid_stat(5)); undefined when it has ended. */
export function timesOf(pid: number): ProcessTimes | undefined {
  const text = read(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The name stands in brackets and may hold anything: fields are counted from behind it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parent] = fields;
  if (state === 'Z') return undefined;
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15).map(Number);
  return {
    pid,
    parent: Number(parent),
    startedAt: fields[19] ?? '',
    own: user + system,
    waited: childUser + childSystem,
  };
}

/** Whether a process was started with this variable. */
export function hasVariable(pid: number, assignment: string): boolean {
  return (read(`/proc/${pid}/environ`) ?? '').split('\0').includes(assignment);
}

/** Memory of processes in MB: pages counted for each, and shared pages divided among those that share them. */
export function memoryOf(pids: number[]): { rss: number; pss: number } {
  const sum = { rss: 0, pss: 0 };
  for (const pid of pids) {
    const text = read(`/proc/${pid}/smaps_rollup`) ?? '';
    sum.rss += Number(/^Rss:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1024;
    sum.pss += Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1024;
  }
  return sum;
}

/** Most memory that each of these processes ever held, in MB, added up; the kernel keeps the mark itself. */
export function peakRssOf(pids: number[]): number {
  const marks = pids.map((pid) => Number(/^VmHWM:\s+(\d+)/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1] ?? 0));
  return marks.reduce((sum, mark) => sum + mark / 1024, 0);
}

/** Seconds of CPU that the whole machine has used. */
export function machineSeconds(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (read('/proc/stat') ?? '')
    .split('\n', 1)
    .join('')
    .split(/\s+/)
    .map(Number);
  return seconds(user + nice + system + irq + softirq + steal);
}

/** Words of a process's command; none when it has ended. */
export function commandOf(pid: number): string[] {
  return (read(`/proc/${pid}/cmdline`) ?? '').split('\0').filter(Boolean);
}

/** Seconds of CPU that a process has used, with what it started and waited for; 0 when it has ended. */
export function cpuOf(pid: number): number {
  const times = timesOf(pid);
  return times ? seconds(times.own + times.waited) : 0;
}
