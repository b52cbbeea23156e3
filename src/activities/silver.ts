import { log } from '@temporalio/activity';
import pLimit from 'p-limit';
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
import { contractOfTable, publishedContract, readPublication } from '../lakehouse/published-contract.ts';
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

/** What a source's table holds. */
export interface SilverState {
  source: string;
  /** The newest snapshot; of a log, a name of what it holds. */
  snapshotId: string;
  /** Its table in dataset `raw`, where it has one: no snapshot tells what is in that. */
  rawTable?: string;
}

/** What several tables hold. */
export interface SilverStates {
  /** Time to read all of them as of, ISO 8601. */
  asOf: string;
  states: SilverState[];
}

/** Whose tables are read. */
export interface SilverStatesInput {
  sources: string[];
  /** Read too, as far as that is one small read each: no logs. Default: none. */
  others?: string[];
}

type TimedState = SilverState & { timestampMs: number };

/** Tables read at once. */
const READS = 8;

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
  async function newestOf({
    sink,
  }: CompiledContract): Promise<{ snapshotId: string; timestampMs: number } | undefined> {
    const newest = (await IcebergTable.load(catalog, store, sink.namespace, sink.table))?.current;
    return newest && { snapshotId: String(newest['snapshot-id']), timestampMs: newest['timestamp-ms'] };
  }
  /** @param logs whether a log, which is listed whole for it, is read too */
  async function readState(source: string, logs: boolean): Promise<TimedState | undefined> {
    const contract = await publishedContract(publications, source);
    if (!contract) return undefined; // nothing was ever written under it
    const { rawTable } = contract.messaging ?? {};
    const raw = rawTable === undefined ? {} : { rawTable };
    if (contract.sink.kind !== 'append-log') {
      const newest = await newestOf(contract);
      return newest && { source, ...newest, ...raw };
    }
    const snapshotId = logs ? await logState(resources, contract) : undefined;
    return snapshotId === undefined ? undefined : { source, snapshotId, timestampMs: 0, ...raw };
  }
  /** What cannot be read of another source is nothing to fail for: its own run says so, and this one does not speak for it. */
  async function readOther(source: string): Promise<TimedState | undefined> {
    try {
      return await readState(source, false);
    } catch (error) {
      log.warn('Silver of another source was not read', { source, reason: String(error) });
      return undefined;
    }
  }
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
     * The newest snapshots of the sources' tables, and the one time that Gold reads all of them as of: our clock, or a millisecond
     * after the newest snapshot where that is later, so that each is always seen. Sources whose table holds nothing are left out.
     */
    async readSilverStates({ sources, others = [] }: SilverStatesInput): Promise<SilverStates> {
      const limit = pLimit(READS);
      const own = sources.map((source) => limit(() => readState(source, true)));
      const more = others.map((source) => limit(() => readOther(source)));
      const found = (await Promise.all([...own, ...more])).filter((state) => state !== undefined);
      const newest = found.reduce((time, { timestampMs }) => Math.max(time, timestampMs + 1), resources.now());
      return { asOf: new Date(newest).toISOString(), states: found.map(({ timestampMs: _, ...state }) => state) };
    },
  };
}
