import type { ProcessGroup } from './meter/process-group.ts';

/** What a run is asked. */
export interface RunSettings {
  partitions: number;
  /** Partitions at once. */
  concurrency: number;
  /** Milliseconds that each step sleeps. 0: the steps do nothing. */
  stepMs: number;
  /** A folder of its own, empty. */
  directory: string;
  /** File that every step writes to. */
  ledger: string;
}

/** A tool whose servers and workers are up, ready to be asked for the backfill. */
export interface Contender {
  tool: string;
  /** What it ran on, for the table's reader. */
  variant: string;
  /** Everything that the tool needs to run the backfill; all of it counts. */
  groups: ProcessGroup[];
  /** Stand-ins for services that are bought, not run: measured, and shown apart. */
  aside: ProcessGroup[];
  /** Asks for the backfill. */
  submit(): void;
  /** Whether the tool itself says that all is done. */
  finished(): boolean | Promise<boolean>;
  /** The processes that execute the steps: what a kill run kills. */
  executing: ProcessGroup;
  /** Starts the executing processes again. */
  restart(): void;
  /** What the tool kept of the run, by name. */
  stored(): Promise<Record<string, number | string>>;
  /** Ends everything. */
  stop(): Promise<void>;
}

/** Starts a tool's servers and workers. */
export type Prepare = (settings: RunSettings) => Promise<Contender>;
