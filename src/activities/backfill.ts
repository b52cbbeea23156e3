import { createHash } from 'node:crypto';
import { WorkflowNotFoundError } from '@temporalio/client';
import pLimit from 'p-limit';
import type { LedgerState } from '../lakehouse/ledger/index.ts';
import { ledgerEvent } from '../lakehouse/ledger/index.ts';
import { readPlanChunk } from '../lakehouse/planning/plan-store.ts';
import type { ChunkReference } from '../lakehouse/planning/plan-store.ts';
import type { ChunkOutcome } from '../workflows/backfill/messages.ts';
import type { RunReference } from './open-runs.ts';
import type { ActivityResources } from './resources.ts';

/** A chunk's workflow that has ended. */
export interface EndedChunk {
  workflowId: string;
  /** Temporal's word in small letters, such as terminated. */
  status: string;
  /** What it told as its result, where it came to an end by itself. */
  outcome?: ChunkOutcome;
}

/** Workflows described at once. */
const AT_ONCE = 10;

/** Activities that only backfills need. */
export function backfillActivities({ store, environment, ledger, temporal }: ActivityResources) {
  // By run: what an earlier run of the same range was refused must not come up again.
  const folder = ({ workflowId, runId }: RunReference): string => {
    const name = createHash('sha256').update(`${workflowId} ${runId}`).digest('hex').slice(0, 32);
    return `gs://${environment.buckets.ops}/backfills/${name}/batches/`;
  };
  async function describe(workflowId: string): Promise<EndedChunk | undefined> {
    const handle = temporal.workflow.getHandle(workflowId);
    try {
      const { status } = await handle.describe();
      if (status.name === 'RUNNING' || status.name === 'PAUSED') return undefined;
      const name = status.name.toLowerCase();
      if (status.name !== 'COMPLETED') return { workflowId, status: name };
      return { workflowId, status: name, outcome: (await handle.result()) as ChunkOutcome };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return { workflowId, status: 'forgotten' };
      throw error;
    }
  }

  return {
    /** Tells a backfill that a chunk has ended; one that is gone needs no news. */
    async tellBackfill({ workflowId, outcome }: { workflowId: string; outcome: ChunkOutcome }): Promise<void> {
      try {
        await temporal.workflow.getHandle(workflowId).signal('chunkEnded', outcome);
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
    },

    /** Those of the chunks that have ended, as Temporal knows it: one that was terminated never says so itself. */
    async endedChunks({ workflowIds }: { workflowIds: string[] }): Promise<EndedChunk[]> {
      const limit = pLimit(AT_ONCE);
      const found = await Promise.all(workflowIds.map((workflowId) => limit(() => describe(workflowId))));
      return found.filter((ended) => ended !== undefined);
    },

    /** Enters the partitions of a chunk as failed, those left out that the ledger knows as done. */
    async recordChunkFailure(input: {
      planUri: string;
      source: string;
      reference: ChunkReference;
      code: string;
      run: string;
    }): Promise<void> {
      const lines = await readPlanChunk(store, input.planUri, input.reference);
      const known = new Map((await ledger.latest(input.source, ['partition'])).map((state) => [state.subject, state]));
      const isDone = (state: LedgerState | undefined, fingerprint: string): boolean =>
        state?.state === 'done' && state.fingerprint === fingerprint;
      const failed = lines.filter(({ partition, fingerprint }) => !isDone(known.get(partition), fingerprint));
      const { code, run, source } = input;
      await ledger.append(
        failed.map(({ partition, fingerprint }) =>
          ledgerEvent('partition', source, partition, 'failed', fingerprint, { code }, new Date(), run),
        ),
      );
    },

    /** Remembers batches that are processed and not to be committed yet. */
    async rememberBatches({ backfill, batchIds }: { backfill: RunReference; batchIds: string[] }): Promise<void> {
      await Promise.all(batchIds.map((batchId) => store.create(`${folder(backfill)}${batchId}`, '')));
    },

    /**
     * The next batches that were remembered, in order of their ids.
     *
     * @param after id of the last one that is known. Default: from the beginning
     * @param limit most ids of an answer
     */
    async rememberedBatches(input: { backfill: RunReference; after?: string; limit: number }): Promise<string[]> {
      const batchIds: string[] = [];
      for await (const { name } of store.list(folder(input.backfill))) {
        const batchId = name.slice(name.lastIndexOf('/') + 1);
        if (batchId > (input.after ?? '')) batchIds.push(batchId);
        if (batchIds.length === input.limit) break;
      }
      return batchIds;
    },
  };
}
