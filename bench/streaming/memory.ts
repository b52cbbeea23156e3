import { memoryOf } from '../meter/proc.ts';
import type { ProcessGroup } from '../meter/process-group.ts';

/** Resident memory of a process over time. */
export interface Memory {
  peakMb: number;
  /** Medians of the quarters of the time. */
  quartersMb: number[];
}

/** The middle one; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
}

/** Sums up samples that were taken at even distances. */
export function memoryOfSamples(samples: readonly number[]): Memory {
  const quarter = (index: number) =>
    samples.slice(Math.floor((samples.length * index) / 4), Math.floor((samples.length * (index + 1)) / 4));
  return {
    peakMb: samples.reduce((a, b) => Math.max(a, b), 0),
    quartersMb: [0, 1, 2, 3].map((index) => median(quarter(index))),
  };
}

/** Looks at a process each second. */
export class MemoryWatch {
  readonly #samples: number[] = [];
  readonly #timer: NodeJS.Timeout;

  /**
   * @param pid told anew at each look: a job may be launched again
   * @param groups whose CPU is looked at too, where the kernel does not count it
   */
  constructor(pid: () => number | undefined, groups: readonly ProcessGroup[]) {
    this.#timer = setInterval(() => {
      for (const group of groups) group.look();
      const found = pid();
      if (found !== undefined) this.#samples.push(memoryOf([found]).rss);
    }, 1_000);
  }

  stop(): Memory {
    clearInterval(this.#timer);
    return memoryOfSamples(this.#samples);
  }
}
