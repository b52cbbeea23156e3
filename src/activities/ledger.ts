import { readContract } from '../lakehouse/contract-store.ts';
import { batchEvents } from '../lakehouse/ledger/batch-events.ts';
import { ledgerEvent } from '../lakehouse/ledger/index.ts';
import type { ActivityResources } from './resources.ts';

/** Activities on the ledger. */
export function ledgerActivities({ store, deltas, ledger }: ActivityResources) {
  return {
    /** Enters settled batches and their partitions: one write per run. */
    async recordBatches({
      table,
      batchIds,
      contractUri,
    }: {
      table: string;
      batchIds: string[];
      contractUri: string;
    }): Promise<void> {
      const { source } = await readContract(store, contractUri);
      const events = await Promise.all(batchIds.map((batchId) => batchEvents(deltas, source, table, batchId)));
      await ledger.append(events.flat());
    },

    /** Whether Gold was made from this SQL and these snapshots. */
    async isMaterialized({ source, fingerprint }: { source: string; fingerprint: string }): Promise<boolean> {
      const states = await ledger.latest(source, ['materialization']);
      return states.some((state) => state.state === 'succeeded' && state.fingerprint === fingerprint);
    },

    /** Enters that Gold was made, from what, and as of when. */
    async recordMaterialization(made: {
      source: string;
      fingerprint: string;
      invocation: string;
      asOf: string;
    }): Promise<void> {
      const detail = { invocation: made.invocation, asOf: made.asOf };
      await ledger.append([ledgerEvent('materialization', made.source, 'gold', 'succeeded', made.fingerprint, detail)]);
    },
  };
}
