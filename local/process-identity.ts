import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A process, told apart from a later one that got the same id, also after a restart of the machine. */
export interface ProcessIdentity {
  pid: number;
  /** When it began, as the system writes it; only good for comparing. */
  began: string;
}

function beganOnLinux(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name before the last bracket may hold anything; state and start time are fields 3 and 22 (proc_pid_stat(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z') return undefined; // it has ended and nobody has asked how
  return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19]}`;
}

/** When a process began; undefined where none of that id runs. */
export function beganAt(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') return beganOnLinux(pid);
    return (
      execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', stdio: 'pipe' }).trim() || undefined
    );
  } catch {
    return undefined;
  }
}

/** A running process and its beginning. */
export const identityOf = (pid: number): ProcessIdentity => ({ pid, began: beganAt(pid) ?? '' });

/** Whether it still runs. */
export const runs = ({ pid, began }: ProcessIdentity): boolean => began !== '' && beganAt(pid) === began;
