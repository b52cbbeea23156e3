import {
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  getExternalWorkflowHandle,
  log,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { Done } from '../lakehouse/deltas/types.ts';
import { working } from './activities.ts';

/** A batch whose manifest is published. */
export interface Submission {
  batchId: string;
  /** URI of the contract that made it. */
  contractUri: string;
  /** Workflow that waits for the outcome. */
  waiter: string;
}

/** Input of the committer of a table. */
export interface CommitterInput {
  /** `<namespace>.<table>` */
  table: string;
  /** Carried over when the history starts anew. */
  waiting?: Submission[];
}

/** A batch waits to be committed. Submitting one again is harmless. */
export const submit = defineSignal<[Submission[]]>('submit');

/** To the waiter: how its batches ended. */
export const settled = defineSignal<[Done[]]>('settled');

/** Batches that wait. */
export const waitingQuery = defineQuery<Submission[]>('waiting');

/** Most batches of one snapshot. */
const MAX_GROUP = 200;

/**
 * Entity workflow `committer/<table>`: takes waiting batches together and commits them as one snapshot. It is the only
 * writer of its table, so its own writers never race.
 */
export async function committer(input: CommitterInput): Promise<void> {
  let waiting = input.waiting ?? [];
  setHandler(waitingQuery, () => waiting);
  setHandler(submit, (batches) => {
    waiting = [...waiting, ...batches];
  });
  while (!workflowInfo().continueAsNewSuggested) {
    setCurrentDetails(`**${input.table}**: waiting for batches`);
    await condition(() => waiting.length > 0);
    const group = nextGroup(waiting);
    waiting = waiting.filter((submission) => !group.includes(submission));
    setCurrentDetails(`**${input.table}**: committing ${group.length} batches`);
    await commitGroup(input.table, group);
  }
  await continueAsNew<typeof committer>({ table: input.table, waiting });
}

/** The oldest batches of one contract; a batch that was submitted twice counts once. */
function nextGroup(waiting: Submission[]): Submission[] {
  const contractUri = waiting[0]?.contractUri;
  const ids = new Set<string>();
  return waiting.filter((submission) => {
    if (submission.contractUri !== contractUri) return false;
    if (!ids.has(submission.batchId) && ids.size === MAX_GROUP) return false;
    ids.add(submission.batchId);
    return true;
  });
}

async function commitGroup(table: string, group: Submission[]): Promise<void> {
  const batchIds = [...new Set(group.map((submission) => submission.batchId))];
  const outcomes = await working.commitBatches({ table, batchIds, contractUri: group[0]?.contractUri ?? '' });
  for (const waiter of new Set(group.map((submission) => submission.waiter))) {
    const theirs = new Set(
      group.filter((submission) => submission.waiter === waiter).map((submission) => submission.batchId),
    );
    await tell(
      waiter,
      outcomes.filter((done) => theirs.has(done.batchId)),
    );
  }
  await working.maintainTable({ contractUri: group[0]?.contractUri ?? '' });
}

/** A waiter that is gone reads the outcome from storage when it comes again. */
async function tell(waiter: string, outcomes: Done[]): Promise<void> {
  try {
    await getExternalWorkflowHandle(waiter).signal(settled, outcomes);
  } catch (error) {
    log.info('a waiter is gone', { waiter, reason: String(error) });
  }
}
