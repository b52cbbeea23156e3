import { heartbeat } from '@temporalio/activity';
import {
  commitWaiting,
  compact,
  ensureSilverTable,
  EXPIRE_ABOVE,
  expireSnapshots,
  sweepOrphans,
  sweepStaged,
} from '../lakehouse/committer/index.ts';
import { readContract } from '../lakehouse/contract-store.ts';
import type { Done } from '../lakehouse/deltas/index.ts';
import { IcebergTable } from '../lakehouse/iceberg/index.ts';
import type { ActivityResources } from './resources.ts';

/** Milliseconds between two heartbeats of a merge, which has no natural steps. */
const HEARTBEAT_MS = 10_000;

/** What upkeep did. */
export interface Upkeep {
  compactedFiles: number;
  expiredSnapshots: number;
  /** Objects deleted that nothing needs. */
  orphans: number;
}

/** Files of the table that no snapshot needs, and blocks that jobs staged and never took away. */
async function sweepAll({ store, environment, now }: ActivityResources, table: IcebergTable): Promise<number> {
  const files = await sweepOrphans(table, store, now());
  return files + (await sweepStaged(store, environment.buckets.ops, now()));
}

async function withHeartbeat<T>(work: () => Promise<T>): Promise<T> {
  heartbeat();
  const timer = setInterval(() => heartbeat(), HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** Activities on Silver's Iceberg tables; only the committer of a table calls those that write. */
export function silverActivities(resources: ActivityResources) {
  const { store, deltas, catalog } = resources;
  return {
    /** Merges and commits waiting batches as one snapshot. Safe to repeat after any crash. */
    async commitBatches({
      batchIds,
      contractUri,
    }: {
      table: string;
      batchIds: string[];
      contractUri: string;
    }): Promise<Done[]> {
      const contract = await readContract(store, contractUri);
      return withHeartbeat(() => commitWaiting(resources, contract, batchIds));
    },

    /** Compacts buckets with many small files, expires snapshots before the metadata grows too big, sweeps orphans if asked. */
    async maintainTable({ contractUri, sweep }: { contractUri: string; sweep: boolean }): Promise<Upkeep> {
      const contract = await readContract(store, contractUri);
      return withHeartbeat(async () => {
        const compactedFiles = await compact(resources, contract);
        const table = await ensureSilverTable(catalog, store, contract);
        const expiredSnapshots =
          table.snapshots.length > EXPIRE_ABOVE ? await expireSnapshots(table, resources.now()) : 0;
        const orphans = sweep ? await sweepAll(resources, table) : 0;
        return { compactedFiles, expiredSnapshots, orphans };
      });
    },

    /** Outcomes of batches that are settled. */
    async readOutcomes({ table, batchIds }: { table: string; batchIds: string[] }): Promise<Done[]> {
      const outcomes = await Promise.all(batchIds.map((batchId) => deltas.readDone(table, batchId)));
      return outcomes.filter((done) => done !== undefined);
    },

    /**
     * The newest snapshot of a source's table and the one time that Gold reads as of: our clock, or a millisecond after the
     * snapshot where that is later, so that the snapshot is always seen.
     */
    async readSilverState({
      contractUri,
    }: {
      contractUri: string;
    }): Promise<{ snapshotId: string | null; asOf: string }> {
      const contract = await readContract(store, contractUri);
      const table = await IcebergTable.load(catalog, store, contract.sink.namespace, contract.sink.table);
      const newest = table?.current;
      const asOf = new Date(Math.max(resources.now(), (newest?.['timestamp-ms'] ?? 0) + 1)).toISOString();
      return { snapshotId: newest ? String(newest['snapshot-id']) : null, asOf };
    },
  };
}
