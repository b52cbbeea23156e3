import {
  commitWaiting,
  compact,
  ensureSilverTable,
  expireSnapshots,
  mustExpire,
  ORPHAN_AGE_MS,
  sweepOrphans,
  sweepStaged,
} from '../lakehouse/committer/index.ts';
import type { CompiledContract, MaintenancePolicy } from '../contracts/index.ts';
import { logState } from '../lakehouse/append-log/index.ts';
import type { Done } from '../lakehouse/deltas/index.ts';
import { IcebergTable } from '../lakehouse/iceberg/index.ts';
import { contractOfTable, readPublication } from '../lakehouse/published-contract.ts';
import { ensureRawTable } from '../lakehouse/raw/index.ts';
import { withHeartbeat } from './heartbeats.ts';
import type { ActivityResources } from './resources.ts';

const DAY = 24 * 3_600_000;

/** What upkeep did. */
export interface Upkeep {
  compactedFiles: number;
  expiredSnapshots: number;
  /** Objects deleted that nothing needs. */
  orphans: number;
}

/** A log has neither snapshots nor small files: each of its objects is written whole under one name. */
const NO_UPKEEP: Upkeep = { compactedFiles: 0, expiredSnapshots: 0, orphans: 0 };

/** Files of the table that no snapshot needs, and blocks that jobs staged and never took away. */
async function sweepAll(
  { store, environment, now }: ActivityResources,
  table: IcebergTable,
  { orphanAgeDays }: MaintenancePolicy,
): Promise<number> {
  const age = orphanAgeDays ? orphanAgeDays * DAY : ORPHAN_AGE_MS;
  const files = await sweepOrphans(table, store, now(), age);
  return files + (await sweepStaged(store, environment.buckets.ops, now()));
}

/** Activities on Silver's Iceberg tables; only the committer of a table calls those that write. */
export function silverActivities(resources: ActivityResources) {
  const { store, deltas, catalog, environment, bigquery } = resources;
  const publications = { store, opsBucket: environment.buckets.ops };
  const lineageOf = async (source: string) => (await readPublication(publications, source))?.lineage;
  /** Contracts whose columns this process has seen in the table of Bronze in BigQuery. */
  const seenInRaw = new Set<string>();
  async function evolveRaw(contract: CompiledContract): Promise<void> {
    if (contract.messaging?.rawColumns !== 'contract' || seenInRaw.has(contract.hash)) return;
    await ensureRawTable(bigquery, contract);
    seenInRaw.add(contract.hash);
  }
  const readLogState = async (contract: CompiledContract) => {
    const snapshotId = (await logState(resources, contract)) ?? null;
    return { snapshotId, asOf: new Date(resources.now()).toISOString() };
  };
  return {
    /**
     * Merges and commits waiting batches as one snapshot, after both Silver's and Bronze's table got the columns that the contract has
     * by now. Safe to repeat after any crash.
     */
    async commitBatches({
      batchIds,
      contractUri,
    }: {
      table: string;
      batchIds: string[];
      contractUri: string;
    }): Promise<Done[]> {
      const contract = await contractOfTable(publications, contractUri);
      return withHeartbeat(async () => {
        await evolveRaw(contract);
        return commitWaiting({ ...resources, lineageOf }, contract, batchIds);
      });
    },

    /**
     * Compacts buckets with many small files, expires snapshots before the metadata grows too big, sweeps orphans if asked.
     *
     * @param expire whether snapshots that the policy does not keep go now. Default: only when there are too many
     */
    async maintainTable({
      contractUri,
      sweep,
      expire = false,
    }: {
      contractUri: string;
      sweep: boolean;
      expire?: boolean;
    }): Promise<Upkeep> {
      const contract = await contractOfTable(publications, contractUri);
      if (contract.sink.kind === 'append-log') return NO_UPKEEP;
      const { compactAtFiles, snapshots, ...policy } = contract.maintenance ?? {};
      return withHeartbeat(async () => {
        const compactedFiles = await compact(resources, contract, compactAtFiles ? { minFiles: compactAtFiles } : {});
        const table = await ensureSilverTable(catalog, store, contract);
        const expiredSnapshots =
          expire || mustExpire(table, snapshots) ? await expireSnapshots(table, resources.now(), snapshots) : 0;
        const orphans = sweep ? await sweepAll(resources, table, policy) : 0;
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
     * snapshot where that is later, so that the snapshot is always seen. Of a log, a name of what it holds stands for the snapshot.
     */
    async readSilverState({
      contractUri,
    }: {
      contractUri: string;
    }): Promise<{ snapshotId: string | null; asOf: string }> {
      const contract = await contractOfTable(publications, contractUri);
      if (contract.sink.kind === 'append-log') return readLogState(contract);
      const table = await IcebergTable.load(catalog, store, contract.sink.namespace, contract.sink.table);
      const newest = table?.current;
      const asOf = new Date(Math.max(resources.now(), (newest?.['timestamp-ms'] ?? 0) + 1)).toISOString();
      return { snapshotId: newest ? String(newest['snapshot-id']) : null, asOf };
    },
  };
}
