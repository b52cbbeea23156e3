import { cupelError } from '../errors.ts';
import type { PollResult } from '../ingest/poll.ts';
import { loadContract, publishContract } from '../lakehouse/contract-store.ts';
import { ledgerEvent } from '../lakehouse/ledger/index.ts';
import type { ActivityResources } from './resources.ts';

/** One poll; without a hash the source's contract as it is now. */
export interface PollFeed {
  source: string;
  feed: string;
  nominalTime: string;
  contractHash?: string;
}

/** Statuses of a function that a later call may not meet. */
const RETRYABLE = new Set([408, 409, 425, 429]);

/** Activities that call Cloud Functions. */
export function functionActivities({ environment, store, callPoll, ledger }: ActivityResources) {
  async function hashOf(source: string): Promise<string> {
    const contract = await loadContract(environment.contractsDirectory, source);
    await publishContract(store, environment.buckets.ops, contract);
    return contract.hash;
  }

  return {
    /** Calls the function `poll`. Safe to repeat: the same answer lands once. */
    async pollFeed(poll: PollFeed): Promise<PollResult> {
      const request = { ...poll, contractHash: poll.contractHash ?? (await hashOf(poll.source)) };
      const key = `${poll.source}/${poll.feed}/${poll.nominalTime}`;
      const answer = await callPoll(request, { 'idempotency-key': key }).catch((error: unknown) => {
        throw cupelError('CUP_FUNCTION_UNAVAILABLE', { function: 'poll', answer: (error as Error).message }, error);
      });
      if (answer.status === 200) return answer.body as PollResult;
      const { message } = (answer.body ?? {}) as { message?: string };
      const retryable = answer.status >= 500 || RETRYABLE.has(answer.status);
      const details = { function: 'poll', status: answer.status, answer: message ?? '' };
      throw cupelError(retryable ? 'CUP_FUNCTION_UNAVAILABLE' : 'CUP_FUNCTION_REFUSED', details);
    },

    /** Enters into the ledger that an answer came too late for its nominal hour. */
    async recordGap({
      source,
      feed,
      nominalTime,
      object,
    }: {
      source: string;
      feed: string;
      nominalTime: string;
      object: string;
    }): Promise<void> {
      await ledger.append([ledgerEvent('gap', source, `${feed}/${nominalTime}`, 'gap', '', { object })]);
    },
  };
}
