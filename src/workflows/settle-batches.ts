import { ApplicationFailure, condition, setHandler, workflowInfo } from '@temporalio/workflow';
import type { Done } from '../lakehouse/deltas/types.ts';
import type { ValidatedChunk } from '../lakehouse/planning/prepare-chunk.ts';
import { quick, short } from './activities.ts';
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

/** Where batches are committed. */
interface Table {
  uri: string;
  table: string;
}

/**
 * Hands batches to the committer, waits until each is settled or one is refused, and enters those that are settled into the
 * ledger. A batch that was settled before is answered at once.
 */
export async function settleGroup(
  batchIds: string[],
  contract: Table,
): Promise<{ outcomes: Map<string, Done>; refusals: RefusedBatch[] }> {
  const outcomes = new Map<string, Done>();
  const refusals: RefusedBatch[] = [];
  const wanted = new Set(batchIds);
  const keep = (dones: Done[]): void =>
    dones.forEach((done) => wanted.has(done.batchId) && outcomes.set(done.batchId, done));
  setHandler(settled, keep);
  setHandler(refused, (batches) => void refusals.push(...batches.filter(({ batchId }) => wanted.has(batchId))));
  const open = (): string[] =>
    batchIds.filter((id) => !outcomes.has(id) && !refusals.some(({ batchId }) => batchId === id));
  const { workflowId: waiter } = workflowInfo();
  const { table, uri: contractUri } = contract;
  while (open().length) {
    await quick.submitBatches({ table, contractUri, batchIds: open(), waiter });
    await condition(() => !open().length, ASK_AGAIN);
    if (open().length) keep(await short.readOutcomes({ table, batchIds: open() }));
  }
  if (outcomes.size) await quick.recordBatches({ table, batchIds: [...outcomes.keys()], contractUri });
  return { outcomes, refusals };
}

/**
 * Settles the batches of a run together.
 *
 * @throws ApplicationFailure with the code of the first batch that was refused; the others are settled and entered
 */
export async function settleBatches(chunks: ValidatedChunk[], contract: Table): Promise<Settled> {
  const { outcomes, refusals } = await settleGroup(
    chunks.map(({ batchId }) => batchId),
    contract,
  );
  if (refusals.length) throw notCommitted(refusals);
  const dones = [...outcomes.values()];
  const committed = dones.filter((done) => done.outcome === 'committed').length;
  return { committed, unchanged: dones.length - committed, rows: dones.reduce((sum, done) => sum + done.rows, 0) };
}

function notCommitted(refusals: RefusedBatch[]): ApplicationFailure {
  const [first] = refusals;
  const message = `${refusals.length} batches cannot be committed: ${first?.message ?? ''}`;
  return ApplicationFailure.nonRetryable(message, first?.code ?? 'unknown', { refusals });
}
