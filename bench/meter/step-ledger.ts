import { readFileSync, writeFileSync } from 'node:fs';

/** The steps of a partition, in order; every tool runs the same ones and nothing else. */
export const STEPS = ['validate', 'launch', 'process', 'commit'] as const;

/** What the ledger of the steps tells: one source for all tools, not each tool's own book-keeping. */
export interface StepCounts {
  /** Partitions whose last step ended. */
  done: number;
  /** Steps that were started more than once. */
  startedAgain: number;
  /** Steps that ran to their end more than once. */
  endedTwice: number;
  /** The same by step: a step whose effect is kept once, such as asking for a job by its name, may run twice. */
  endedTwiceBy: Partial<Record<(typeof STEPS)[number], number>>;
  /** Partitions of which a step that had ended was run again. */
  partitionsAgain: number;
}

interface Line {
  kind: string;
  partition: string;
  step: string;
}

function read(file: string): Line[] {
  // The last line may be half written: a killed process ended there.
  const whole = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return whole.map((line) => {
    const [kind = '', partition = '', step = ''] = line.split(' ');
    return { kind, partition, step };
  });
}

/** Empties the ledger, or makes it. */
export function emptyLedger(file: string): void {
  writeFileSync(file, '');
}

/** Partitions whose last step ended so far. */
export function partitionsDone(file: string): number {
  const last = read(file).filter(({ kind, step }) => kind === 'E' && step === STEPS.at(-1));
  return new Set(last.map(({ partition }) => partition)).size;
}

/** Counts what ran and what ran twice: each step appends `S|E partition step pid time` when it starts and when it ends. */
export function countSteps(file: string): StepCounts {
  const started = new Map<string, number>();
  const ended = new Map<string, number>();
  const again = new Set<string>();
  for (const { kind, partition, step } of read(file)) {
    const key = `${partition} ${step}`;
    if (kind === 'S' && ended.has(key)) again.add(partition);
    const counts = kind === 'S' ? started : ended;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const twice = (counts: Map<string, number>): number => [...counts.values()].filter((count) => count > 1).length;
  const ofStep = (step: string): number =>
    [...ended].filter(([key, count]) => count > 1 && key.endsWith(` ${step}`)).length;
  const by = STEPS.map((step) => [step, ofStep(step)] as const).filter(([, count]) => count > 0);
  return {
    done: partitionsDone(file),
    startedAgain: twice(started),
    endedTwice: twice(ended),
    endedTwiceBy: Object.fromEntries(by),
    partitionsAgain: again.size,
  };
}
