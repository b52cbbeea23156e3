import { readContract } from '../lakehouse/contract-store.ts';
import type { ValidatedChunk } from '../lakehouse/planning/prepare-chunk.ts';
import {
  acceptedEntries,
  countEntries,
  cutPages,
  markEntries,
  preparePage,
  rangeOf,
  readPage,
  readQuarantine,
  redriveEvents,
  writePages,
} from '../lakehouse/quarantine/index.ts';
import type { QuarantineFilter, RedriveCounts, RedriveRun } from '../lakehouse/quarantine/index.ts';
import { withHeartbeat } from './heartbeats.ts';
import type { ActivityResources } from './resources.ts';

/** What is to be re-driven. */
export interface PlanRedrive {
  contractUri: string;
  filter: QuarantineFilter;
  /** Entries of the run at most. */
  maxEntries: number;
  /** Only counts. */
  dryRun: boolean;
}

/** A plan of a re-drive, in numbers; its pages stay in storage. */
export interface RedrivePlan {
  counts: RedriveCounts;
  /** Folder of the pages. */
  folder: string;
  pages: number;
  /** Accepted entries beyond `maxEntries`: another run's. */
  left: number;
  /** Hours that the pages touch; none where there is nothing to do. */
  range?: { from: string; to: string };
}

/** A page of a plan. */
export interface PageOfRedrive {
  contractUri: string;
  pageUri: string;
}

/** Activities that take refused records again. */
export function redriveActivities(resources: ActivityResources) {
  const { environment, store, deltas, ledger, now } = resources;
  const { bronze: bronzeBucket, quarantine: quarantineBucket, ops } = environment.buckets;

  return {
    /** Finds what a filter means, judges each by the current contract, and stores the pages of what it accepts. Changes nothing else. */
    async planRedrive({ contractUri, filter, maxEntries, dryRun }: PlanRedrive): Promise<RedrivePlan> {
      const contract = await readContract(store, contractUri);
      return withHeartbeat(async (tell) => {
        const entries = await readQuarantine(store, quarantineBucket, contract.source, filter, (read) =>
          tell({ read }),
        );
        const progress = (judged: number): void => tell({ entries: entries.length, judged });
        const accepted = await acceptedEntries({ store, bronzeBucket, progress }, contract, entries);
        const counts = countEntries(entries, accepted);
        const { pages, left } = cutPages(accepted, contract, maxEntries);
        const range = rangeOf(pages);
        if (dryRun || !range) return { counts, folder: '', pages: 0, left };
        return { counts, folder: await writePages(store, ops, pages), pages: pages.length, left, range };
      });
    },

    /**
     * Lands the files of a page, and makes chunks of those of its partitions that are not done under the contract.
     *
     * @param run names batches that are to be processed again although they are done
     */
    async prepareRedrive({ contractUri, pageUri, run }: PageOfRedrive & { run: string }): Promise<ValidatedChunk[]> {
      const contract = await readContract(store, contractUri);
      return withHeartbeat(async (tell) => {
        const progress = (objects: number): void => tell({ objects });
        const preparing = { store, deltas, ledger, bronzeBucket, quarantineBucket, progress };
        return preparePage(preparing, contract, await readPage(store, pageUri), run);
      });
    },

    /**
     * Marks the entries of a page as re-driven, and enters them into the ledger.
     *
     * @param failed partitions that could not be processed: their entries stay
     * @returns number of entries
     */
    async markRedriven(marked: PageOfRedrive & { page: number; failed: string[]; run: RedriveRun }): Promise<number> {
      const { contractUri, pageUri, page, failed, run } = marked;
      const contract = await readContract(store, contractUri);
      return withHeartbeat(async () => {
        const { entries } = await readPage(store, pageUri);
        const gone = entries.filter(({ partitions }) => !partitions.some((of) => failed.includes(of)));
        const at = new Date(now());
        await markEntries(store, contract, gone, run, at);
        await ledger.append(redriveEvents(contract, gone, run, page, at));
        return gone.length;
      });
    },
  };
}
