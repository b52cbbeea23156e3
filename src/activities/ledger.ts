import { readContract } from '../lakehouse/contract-store.ts';
import { batchEvents } from '../lakehouse/ledger/batch-events.ts';
import { ledgerEvent } from '../lakehouse/ledger/index.ts';
import type { ActivityResources } from './resources.ts';

/** What Gold was made from, as far as a source matters. */
export interface MadeFrom {
  source: string;
  /** `<snapshot id>/<commit of the SQL>` */
  fingerprint: string;
  /** By a run that does not speak for what is in the source's table in `raw`. Default false. */
  byOthers?: boolean;
}

/** Subject of what was made by others; that of the rest is `gold`. */
const BY_OTHERS = 'gold-by-others';

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

    /**
     * Whether Gold was made from this SQL and this snapshot.
     *
     * @param byOthers whether a run counts that does not speak for the source's table in `raw`
     */
    async isMaterialized({ source, fingerprint, byOthers }: MadeFrom & { byOthers: boolean }): Promise<boolean> {
      const states = await ledger.latest(source, ['materialization']);
      return states.some(
        ({ state, subject, fingerprint: of }) =>
          state === 'succeeded' && of === fingerprint && (byOthers || subject !== BY_OTHERS),
      );
    },

    /** Enters that Gold was made, from what of each source, and as of when. */
    async recordMaterialization({
      made,
      ...detail
    }: {
      made: MadeFrom[];
      invocation: string;
      asOf: string;
    }): Promise<void> {
      const eventOf = ({ source, fingerprint, byOthers }: MadeFrom) =>
        ledgerEvent('materialization', source, byOthers ? BY_OTHERS : 'gold', 'succeeded', fingerprint, detail);
      await ledger.append(made.map(eventOf));
    },
  };
}
