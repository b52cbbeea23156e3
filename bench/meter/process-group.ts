import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { dieWithUs } from '../../local/process.ts';
import { createControlGroup } from './cgroup.ts';
import type { ControlGroup } from './cgroup.ts';
import { CpuTree } from './cpu-tree.ts';
import { hasVariable, processIds, timesOf } from './proc.ts';

/** Inherited by whatever a group's processes start, also when these leave their session or lose their parent. */
const MARK = 'CUPEL_BENCH_GROUP';

/** Groups that are not closed yet. */
const open = new Set<ProcessGroup>();

/** Ends whatever still runs, of every group: also after a failure half-way. */
export async function closeGroups(): Promise<void> {
  for (const group of [...open].reverse()) await group.close();
}

/** What to start in a group. */
export interface GroupCommand {
  command: string;
  args: string[];
  /** Beside the environment of this process. */
  env?: Record<string, string>;
  cwd?: string;
  /** Standard output and error are added to it. */
  logFile: string;
}

/** Processes that are counted, and killed, together. */
export class ProcessGroup {
  readonly name: string;
  readonly #mark: string;
  readonly #control: ControlGroup | undefined;
  readonly #tree = new CpuTree();
  /** Once ours, always ours, also when its parent is gone. */
  readonly #known = new Set<string>();

  /** @param exact whether the kernel may count, where it lets us; else it is looked at now and then */
  constructor(name: string, exact = true) {
    this.name = name;
    this.#mark = `${process.pid}-${name}-${Math.random().toString(36).slice(2)}`;
    this.#control = exact ? createControlGroup(this.#mark) : undefined;
    open.add(this);
  }

  /** How CPU time is counted. */
  get method(): 'cgroup' | 'proc' {
    return this.#control ? 'cgroup' : 'proc';
  }

  /** Starts a process in the group. */
  spawn({ command, args, env, cwd, logFile }: GroupCommand): ChildProcess {
    mkdirSync(path.dirname(logFile), { recursive: true });
    const log = openSync(logFile, 'a');
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env, [MARK]: this.#mark },
      detached: true,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    dieWithUs(child);
    if (child.pid !== undefined) this.#control?.add(child.pid);
    return child;
  }

  /** Takes in whatever `work` starts, by whatever means. */
  async enclose<T>(work: () => Promise<T>): Promise<T> {
    process.env[MARK] = this.#mark;
    try {
      return await work();
    } finally {
      delete process.env[MARK];
      if (this.#control) for (const pid of this.#marked()) this.#control.add(pid);
    }
  }

  pids(): number[] {
    return this.#control?.pids() ?? this.#marked();
  }

  /** Looks at the processes: to be called twice a second or so where the kernel does not count. */
  look(): void {
    if (!this.#control) this.#tree.update(this.#marked().flatMap((pid) => timesOf(pid) ?? []));
  }

  /** Seconds of CPU used since the group was made. */
  cpuSeconds(): number {
    this.look();
    return this.#control?.cpuSeconds() ?? this.#tree.total();
  }

  /** Kills all of its processes by SIGKILL until none is left. Returns how many there were. */
  async kill9(): Promise<number> {
    this.look();
    const killed = new Set<number>();
    for (let pids = this.pids(); pids.length; pids = this.pids()) {
      for (const pid of pids) {
        killed.add(pid);
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It ended by itself.
        }
      }
      await delay(20);
    }
    return killed.size;
  }

  /** Ends whatever still runs. */
  async close(): Promise<void> {
    await this.kill9();
    if (open.delete(this)) await this.#control?.remove();
  }

  #marked(): number[] {
    const times = processIds().flatMap((pid) => timesOf(pid) ?? []);
    const ours = new Set<number>();
    // Parents mostly have lower pids, so most are known before their children are looked at.
    for (const { pid, parent, startedAt } of times) {
      const key = `${pid}@${startedAt}`;
      // A program may write over its environment (PostgreSQL does): then its parent tells.
      if (!this.#known.has(key) && !ours.has(parent) && !hasVariable(pid, `${MARK}=${this.#mark}`)) continue;
      this.#known.add(key);
      ours.add(pid);
    }
    return times.filter(({ pid }) => ours.has(pid)).map(({ pid }) => pid);
  }
}
