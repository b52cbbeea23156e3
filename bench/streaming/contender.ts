import type { CompiledContract } from '../../src/contracts/index.ts';
import type { Latencies } from './latencies.ts';
import type { Load } from './load/publisher.ts';
import type { Memory } from './memory.ts';
import type { Stage } from './cupel/stages.ts';

export const CONTENDERS = ['cupel', 'bare', 'beam-python'] as const;
export type ContenderName = (typeof CONTENDERS)[number];

/** Titles for the table. */
export const TITLES: Record<ContenderName, string> = {
  cupel: 'Cupel',
  bare: 'bare consumer, acknowledges only',
  'beam-python': 'Beam Python 2.77, direct',
};

/** What a contender did under a load. */
export interface Trial {
  name: ContenderName;
  load: Load;
  /** Messages per second that were really published. */
  perSecond: number;
  /** None where only memory and CPU are of interest. */
  latencies?: Latencies;
  /** CPU of what processes the messages, from the first message until all were seen. */
  cpuSeconds: number;
  /** Of that, by process, where there are several. */
  cpuBy: Record<string, number>;
  /** CPU that anybody else on this machine used meanwhile, who is neither a server nor the publisher. */
  otherCpuSeconds: number;
  /** Of the process that reads the messages. */
  memory: Memory;
  /** Where the time goes. Only of Cupel. */
  stages?: Stage[];
}

/** What a run of a contender is made of. */
export interface TrialSetting {
  load: Load;
  contract: CompiledContract;
  /** A folder of its own, empty. */
  directory: string;
  /** Whether latencies are told by the rows of the table, each read. Else only memory and CPU are of interest. */
  latencies: boolean;
}

/** Starts what it needs, publishes the load, waits until all of it was seen, and ends everything. */
export type RunTrial = (setting: TrialSetting) => Promise<Trial>;
