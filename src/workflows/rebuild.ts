import { ApplicationFailure, CancellationScope, workflowInfo } from '@temporalio/workflow';
import type { AnnouncedRebuild, RebuiltTable } from '../activities/rebuild.ts';
import type { FailedPartition } from '../lakehouse/planning/chunks.ts';
import type { ValidatedChunk } from '../lakehouse/planning/prepare-chunk.ts';
import { quick, short, waiting, working } from './activities.ts';
import { announcing } from './announce.ts';
import { materialize } from './materialize.ts';
import type { Materialized } from './materialize.ts';
import { processChunks } from './process-chunks.ts';
import { refuseFailed } from './refuse-failed.ts';
import { settleBatches } from './settle-batches.ts';
import type { Settled } from './settle-batches.ts';
import { enterStage, tag } from './visibility.ts';
import type { Stage } from './visibility.ts';

/** Input of a rebuild. */
export interface RebuildInput {
  source: string;
  /** URI of the contract to rebuild under. Default: the source's file, as workers have it. */
  contractUri?: string;
  /** Who asked, for the ledger. Default: unknown. */
  by?: string;
}

/** What a rebuild did. */
export interface RebuildResult {
  table: string;
  contractHash: string;
  range: { from: string; to: string };
  /** Batches that hold all of Bronze. */
  batches: number;
  rebuilt: RebuiltTable;
  /** What came to Bronze meanwhile. */
  meanwhile: Settled;
  gold: Materialized;
}

/**
 * Workflow `rebuild/<source>`: processes all of Bronze under another contract while runs go on under the one in force, replaces the
 * table in one snapshot, puts the contract into force, and processes what came meanwhile.
 */
export async function rebuild(input: RebuildInput): Promise<RebuildResult> {
  const { source, contractUri: pinned } = input;
  tag({ source, kind: 'rebuild', stage: 'plan' }, `Rebuild of **${source}**: lists Bronze`);
  return announcing(`rebuild/${source}`, source, async () => {
    const announced = await working.announceRebuild({ source, ...(pinned ? { pinned } : {}) });
    const { contract, range } = announced;
    try {
      const batchIds = await processAll(source, announced);
      show('settle', announced, `replaces the table by ${batchIds.length} batches`);
      const { table, hash: contractHash } = contract;
      const { firstExecutionRunId: run } = workflowInfo();
      const rebuilt = await waiting.requestRebuild({ source, contractHash, batchIds, table, run });
      await record(input, announced, batchIds, rebuilt);
      const meanwhile = await catchUp(source, announced);
      show('materialize', announced, 'materializes Gold');
      const gold = await materialize({ source });
      show('done', announced, `done: ${rebuilt.rows} rows`);
      return { table, contractHash, range, batches: batchIds.length, rebuilt, meanwhile, gold };
    } finally {
      // Of a rebuild that is in force there is nothing left to give up.
      await CancellationScope.nonCancellable(() => short.abandonRebuild({ source, contractHash: contract.hash }));
    }
  });
}

function show(stage: Stage, { contract, range }: AnnouncedRebuild, what: string): void {
  enterStage(stage, `Rebuild of **${contract.table}** from ${range.from} to ${range.to}: ${what}`);
}

async function validated({ contract, range }: AnnouncedRebuild, reprocess: 'all' | 'stale'): Promise<ValidatedChunk[]> {
  const plan = await working.planRange({ ...range, contractUri: contract.uri, reprocess });
  return (await working.validatePlan({ planUri: plan.planUri, contractUri: contract.uri })).chunks;
}

/** A table that lacked a partition would have lost rows, so nothing is replaced then. */
async function processAll(source: string, announced: AnnouncedRebuild): Promise<string[]> {
  const chunks = await validated(announced, 'all');
  show('process', announced, `processes ${chunks.length} chunks`);
  const { published, failed } = await processChunks(chunks, announced.contract.uri);
  if (failed.length) throw incomplete(source, failed);
  return published.map(({ batchId }) => batchId);
}

function incomplete(source: string, failed: FailedPartition[]): ApplicationFailure {
  const named = failed.slice(0, 10).map(({ partition, code }) => `${partition} (${code})`);
  const message = `${failed.length} partitions of ${source} failed, so its table stays as it is: ${named.join(', ')}`;
  return ApplicationFailure.nonRetryable(message, 'CUP_REBUILD_INCOMPLETE', { failed: failed.slice(0, 50) });
}

async function record(
  { source, by = 'unknown' }: RebuildInput,
  { contract }: AnnouncedRebuild,
  batchIds: string[],
  rebuilt: RebuiltTable,
): Promise<void> {
  const { table, uri: contractUri, hash } = contract;
  if (batchIds.length) await quick.recordBatches({ table, batchIds, contractUri });
  const detail = { by, contractHash: hash, batches: batchIds.length, ...rebuilt };
  await short.recordRebuild({ source, table, run: workflowInfo().firstExecutionRunId, detail });
}

/** Whatever landed while all of Bronze was processed, and what runs made of it under the contract of then. */
async function catchUp(source: string, announced: AnnouncedRebuild): Promise<Settled> {
  const { contract } = announced;
  const now = { contract, range: await working.readBronzeRange({ contractUri: contract.uri }) };
  show('process', now, 'processes what came meanwhile');
  const processed = await processChunks(await validated(now, 'stale'), contract.uri);
  const settled = await settleBatches(processed.published, contract);
  await refuseFailed(source, processed.failed);
  return settled;
}
