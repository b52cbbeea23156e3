import {
  allHandlersFinished,
  ApplicationFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineUpdate,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { short } from './activities.ts';
import { overlaps } from './range.ts';
import type { Range } from './range.ts';
import { tagEntity } from './visibility.ts';

/** Who holds a range. */
export interface Lease {
  range: Range;
  workflowId: string;
  runId: string;
}

/** Input of the entity of a source. */
export interface SourceInput {
  source: string;
  /** Carried over when the history starts anew. */
  leases?: Lease[];
}

/** Grants a range to a run, or refuses it with CUP_RANGE_LEASED and the holder's id. Asking again for one's own is granted. */
export const acquireLease = defineUpdate<void, [Lease]>('acquireLease');

/** Gives back what a run holds. Giving back nothing is no error. */
export const releaseLease = defineUpdate<void, [Pick<Lease, 'workflowId' | 'runId'>]>('releaseLease');

/** The leases granted now. */
export const leasesQuery = defineQuery<Lease[]>('leases');

/** Entity workflow `source/<name>`: grants ranges of a source, so that no two runs process the same range at once. */
export async function source(input: SourceInput): Promise<void> {
  let leases = input.leases ?? [];
  tagEntity('source', input.source);
  const drop = (closed: Lease): void => {
    leases = leases.filter((lease) => lease.runId !== closed.runId || lease.workflowId !== closed.workflowId);
  };
  setHandler(leasesQuery, () => leases, { description: 'who has which range' });
  setHandler(releaseLease, (holder) => drop({ ...holder, range: { from: '', to: '' } }));
  setHandler(acquireLease, async (wanted) => {
    for (;;) {
      const held = leases.find((lease) => lease.runId !== wanted.runId && overlaps(lease.range, wanted.range));
      if (!held) break;
      // A holder that ended without giving back (terminated, say) must not block anyone.
      if (await short.isRunning({ workflowId: held.workflowId, runId: held.runId })) throw leased(held);
      drop(held);
    }
    drop(wanted);
    leases = [...leases, wanted];
  });
  await condition(() => workflowInfo().continueAsNewSuggested);
  await condition(allHandlersFinished);
  await continueAsNew<typeof source>({ source: input.source, leases });
}

function leased(held: Lease): ApplicationFailure {
  const { from, to } = held.range;
  return ApplicationFailure.nonRetryable(`the range ${from}/${to} is held by ${held.workflowId}`, 'CUP_RANGE_LEASED', {
    holder: held.workflowId,
    runId: held.runId,
  });
}
