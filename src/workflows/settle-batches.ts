import { ApplicationFailure, condition, setHandler, workflowInfo } from '@temporalio/workflow';
import type { ValidatedChunk } from '../activities/bronze.ts';
import type { Done } from '../lakehouse/deltas/types.ts';
import { short } from './activities.ts';
import { refused, settled } from './committer.ts';
import type { RefusedBatch } from './committer.ts';

/** How the batches of a run ended. */
export interface Settled {
  committed: number;
  unchanged: number;
  /** Rows of the batches; not of the table. */
  rows: number;
}

/** The signal that says so may be lost with a committer's run: then it is asked again, and storage is looked at. */
const ASK_AGAIN = '60s';

/** Hands the batches to the committer, waits until each is settled, and enters them into the ledger. */
export async function settleBatches(
  chunks: ValidatedChunk[],
  contract: { uri: string; table: string },
): Promise<Settled> {
  const outcomes = new Map<string, Done>();
  const keep = (dones: Done[]): void => dones.forEach((done) => outcomes.set(done.batchId, done));
  setHandler(settled, keep);
  const refusals: RefusedBatch[] = [];
  setHandler(refused, (batches) => void refusals.push(...batches));
  const batchIds = chunks.map((chunk) => chunk.batchId);
  const open = (): string[] => batchIds.filter((batchId) => !outcomes.has(batchId));
  while (open().length) {
    const { workflowId } = workflowInfo();
    await short.submitBatches({
      table: contract.table,
      contractUri: contract.uri,
      batchIds: open(),
      waiter: workflowId,
    });
    await condition(() => !open().length || refusals.length > 0, ASK_AGAIN);
    if (refusals.length) throw notCommitted(refusals);
    if (!open().length) break;
    keep(await short.readOutcomes({ table: contract.table, batchIds: open() }));
  }
  if (batchIds.length) await short.recordBatches({ table: contract.table, batchIds, contractUri: contract.uri });
  return summarise([...outcomes.values()]);
}

function notCommitted(refusals: RefusedBatch[]): ApplicationFailure {
  const [first] = refusals;
  const message = `${refusals.length} batches cannot be committed: ${first?.message ?? ''}`;
  return ApplicationFailure.nonRetryable(message, first?.code ?? 'unknown', { refusals });
}

function summarise(dones: Done[]): Settled {
  const committed = dones.filter((done) => done.outcome === 'committed').length;
  return { committed, unchanged: dones.length - committed, rows: dones.reduce((sum, done) => sum + done.rows, 0) };
}
