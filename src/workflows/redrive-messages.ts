import { defineQuery } from '@temporalio/workflow';
import type { ContractReference } from '../activities/contracts.ts';
import type { RedrivePlan } from '../activities/redrive.ts';
import type { QuarantineFilter, RedriveCounts } from '../lakehouse/quarantine/index.ts';
import type { Materialized } from './materialize.ts';
import type { Settled } from './settle-batches.ts';

/** What is to be taken again. */
export interface RedriveInput {
  source: string;
  /** Default: everything in quarantine of the source. */
  filter?: QuarantineFilter;
  /** Only counts what is there and what the current contract would accept. Default false. */
  dryRun?: boolean;
  /** Entries of this run at most, whole partitions; the rest is another run's. Default 100,000. */
  maxEntries?: number;
  /** Who asks, for the audit. Default `unknown`. */
  by?: string;
  /** Carried over when the history starts anew. */
  state?: RedriveState;
}

/** What a run has done so far. */
export interface RedriveState {
  contract: Pick<ContractReference, 'hash' | 'uri' | 'table'>;
  plan: RedrivePlan;
  /** The page that comes next. */
  page: number;
  redriven: number;
  batches: Settled;
  /** Partitions that could not be processed, the first 50 by name and code. */
  failed: { partitions: number; first: string[] };
}

/** What a run did. */
export interface RedriveResult extends Pick<RedriveState, 'redriven' | 'batches'> {
  dryRun: boolean;
  contractHash: string;
  /** What was found, before anything was done. */
  counts: RedriveCounts;
  /** Accepted entries beyond `maxEntries`. */
  left: number;
  /** Undefined where nothing was to be done. */
  gold?: Materialized;
}

/** How far a run is. */
export interface RedriveProgress {
  page: number;
  pages: number;
  redriven: number;
  accepted: number;
}

/** How far a run is; null while it counts. */
export const redriveProgress = defineQuery<RedriveProgress | null>('redriveProgress');
