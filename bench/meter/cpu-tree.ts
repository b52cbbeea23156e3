import { seconds } from './proc.ts';
import type { ProcessTimes } from './proc.ts';

const keyOf = ({ pid, startedAt }: ProcessTimes): string => `${pid}@${startedAt}`;

interface Seen extends ProcessTimes {
  alive: boolean;
  /** Key of the parent, where that is one of ours. */
  parentKey: string | undefined;
}

/**
 * CPU time of processes that come and go, from looks at them now and then. A process that ended is in its parent's waited
 * time if the parent waited for it, else it counts with what was last seen of it: the larger one is nearer to the truth.
 */
export class CpuTree {
  readonly #seen = new Map<string, Seen>();

  /** Takes a look: these are the processes that live now. */
  update(living: ProcessTimes[]): void {
    for (const process of this.#seen.values()) process.alive = false;
    const keys = new Map(living.map((process) => [process.pid, keyOf(process)]));
    for (const process of living) {
      const key = keyOf(process);
      const parentKey = this.#seen.get(key)?.parentKey ?? keys.get(process.parent);
      this.#seen.set(key, { ...process, alive: true, parentKey });
    }
  }

  /** Seconds used until the last look. */
  total(): number {
    const dead = Map.groupBy(
      [...this.#seen.values()].filter(({ alive, parentKey }) => !alive && parentKey !== undefined),
      ({ parentKey }) => parentKey,
    );
    const used = (process: Seen): number => {
      const children = (dead.get(keyOf(process)) ?? []).reduce((sum, child) => sum + used(child), 0);
      return process.own + Math.max(process.waited, children);
    };
    const counted = [...this.#seen.values()].filter(({ alive, parentKey }) => alive || parentKey === undefined);
    return seconds(counted.reduce((sum, process) => sum + used(process), 0));
  }
}
