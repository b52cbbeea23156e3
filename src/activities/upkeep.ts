import { heartbeat } from '@temporalio/activity';
import { tableName } from '../contracts/index.ts';
import type { CompiledContract } from '../contracts/index.ts';
import { startControlled } from '../control/start.ts';
import { recordPublisher } from '../ingest/record-publisher.ts';
import type { HourRange } from '../lakehouse/bronze/index.ts';
import { groupsOfSnapshots, sweepOps } from '../lakehouse/committer/index.ts';
import type { SweptOps } from '../lakehouse/committer/index.ts';
import { readContract } from '../lakehouse/contract-store.ts';
import { ledgerEvent } from '../lakehouse/ledger/index.ts';
import { missedFiles, reconcileBronze } from '../lakehouse/upkeep/index.ts';
import type { Reconciliation } from '../lakehouse/upkeep/index.ts';
import type { CommitterInput } from '../workflows/committer.ts';
import { committerId } from '../workflows/ids.ts';
import { askEntity } from './ask-entity.ts';
import { withHeartbeat } from './heartbeats.ts';
import { dropClosedShadows } from './parity.ts';
import type { Upkeep } from './silver.ts';
import type { ActivityResources } from './resources.ts';

const DAY = 24 * 3_600_000;

/** What upkeep deleted of what runs left behind. */
export interface OpsUpkeep extends SweptOps {
  /** Shadows of comparisons that were terminated. */
  shadows: number;
}

/** Activities of upkeep: what is done around a table without writing to it. */
export function upkeepActivities(resources: ActivityResources) {
  const { environment, store, deltas, ledger, temporal, now } = resources;
  const { buckets } = environment;

  /** Starts what a lost finalize event should have started; one that runs already is joined, and one that is over stays so. */
  async function takeMissedFiles(contract: CompiledContract, range: HourRange): Promise<number> {
    const looking = { store, ledger, inboxBucket: buckets.inbox };
    let taken = 0;
    for (const file of await missedFiles(looking, contract, range)) {
      const { state } = await startControlled(temporal, environment.contractsDirectory, { kind: 'file', ...file });
      if (state === 'started') taken += 1;
    }
    return taken;
  }

  return {
    /**
     * Asks the committer of a table, its only writer, for the whole upkeep, and waits for the numbers. Starts the committer
     * where there is none.
     *
     * @param run names the asking run, so that asking again is joined
     */
    async requestMaintenance(input: { table: string; contractUri: string; run: string }): Promise<Upkeep> {
      const { table, contractUri, run } = input;
      const entity = { type: 'committer', workflowId: committerId(table), input: { table } satisfies CommitterInput };
      const ask = { update: 'maintainNow', input: { contractUri }, updateId: `maintain-${run}` };
      return withHeartbeat(() => askEntity(temporal, entity, ask));
    },

    /** Deletes old plans, spent chunks, delta files that lost, old batches of streams, and what terminated comparisons left. */
    async sweepOps({ contractUri }: { contractUri: string }): Promise<OpsUpkeep> {
      const contract = await readContract(store, contractUri);
      const days = contract.maintenance?.orphanAgeDays;
      const of = { table: tableName(contract), source: contract.source };
      return withHeartbeat(async () => {
        const shadows = await dropClosedShadows(resources, contract);
        const keptGroups = await groupsOfSnapshots(resources, contract);
        const sweep = { store, deltas, keptGroups, opsBucket: buckets.ops, nowMs: now(), progress: () => heartbeat() };
        return { shadows, ...(await sweepOps(sweep, of, days ? days * DAY : undefined)) };
      });
    },

    /** Enters the numbers of upkeep. */
    async recordUpkeep(done: { source: string; table: string; run: string; numbers: object }): Promise<void> {
      const { source, table, run, numbers } = done;
      await ledger.append([ledgerEvent('upkeep', source, table, 'done', '', numbers, new Date(now()), run)]);
    },

    /** Compares Bronze with ledger, outbox and inbox over a range, and mends them. */
    async reconcileBronze(input: {
      contractUri: string;
      from: string;
      to: string;
      run: string;
    }): Promise<Reconciliation & { filesTaken: number }> {
      const contract = await readContract(store, input.contractUri);
      const working = {
        store,
        ledger,
        bronzeBucket: buckets.bronze,
        opsBucket: buckets.ops,
        quarantineBucket: buckets.quarantine,
        publisher: recordPublisher(await resources.pubsub(), environment.recordsTopic),
        progress: (objects: number) => heartbeat({ objects }),
      };
      const range = { from: new Date(input.from), to: new Date(input.to) };
      return withHeartbeat(async () => {
        const found = await reconcileBronze(working, contract, range, input.run);
        return { ...found, filesTaken: await takeMissedFiles(contract, range) };
      });
    },
  };
}
