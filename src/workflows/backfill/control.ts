import { ApplicationFailure, setHandler } from '@temporalio/workflow';
import { checkConcurrency } from './input.ts';
import type { BackfillSettings } from './input.ts';
import {
  approve,
  chunkEnded,
  pause,
  reject,
  resume,
  retryFailed,
  setConcurrency,
  statusQuery,
  stop,
} from './messages.ts';
import type { BackfillStatus } from './messages.ts';
import { refresh } from './show.ts';
import { chunkHasEnded, lineUpFailed } from './state.ts';
import type { BackfillState } from './state.ts';
import { statusOf } from './status.ts';

function demand(condition: boolean, otherwise: string): void {
  if (!condition) throw ApplicationFailure.nonRetryable(otherwise, 'CUP_BACKFILL_INPUT');
}

/** Hears what people and chunks say. Each change is shown at once; validators refuse what would change nothing. */
export function handleUpdates(settings: BackfillSettings, state: BackfillState): void {
  const status = (): BackfillStatus => statusOf(settings.source, state, Date.now());
  const changed = (): BackfillStatus => {
    refresh(settings, state);
    return status();
  };
  const atWork = (): void => demand(state.phase === 'running', `it is ${state.phase}: no chunks are started now`);

  setHandler(statusQuery, status);
  setHandler(chunkEnded, (outcome) => {
    chunkHasEnded(state, outcome);
    refresh(settings, state);
  });
  // Temporal's command line may say nothing at all.
  const pauseNow = (input: { reason?: string } | undefined): BackfillStatus => {
    state.paused = { reason: input?.reason || 'no reason given', at: Date.now() };
    return changed();
  };
  setHandler(pause, pauseNow, {
    validator: (_input: { reason?: string } | undefined) => {
      atWork();
      demand(!state.paused, 'it is paused already');
    },
  });
  const resumeNow = (): BackfillStatus => {
    state.pausedMs += Date.now() - (state.paused?.at ?? Date.now());
    delete state.paused;
    return changed();
  };
  setHandler(resume, resumeNow, { validator: () => demand(state.paused !== undefined, 'it is not paused') });
  const setNow = ({ maxConcurrency }: { maxConcurrency: number }): BackfillStatus => {
    state.maxConcurrency = maxConcurrency;
    return changed();
  };
  setHandler(setConcurrency, setNow, {
    validator: ({ maxConcurrency }) => {
      checkConcurrency(maxConcurrency);
      demand(!state.inOrder || maxConcurrency === 1, 'each chunk depends on the one before: one at a time');
    },
  });
  const retryNow = (): BackfillStatus => {
    lineUpFailed(state);
    return changed();
  };
  setHandler(retryFailed, retryNow, {
    validator: () => {
      atWork();
      demand(!state.stopping, 'it is stopping');
      demand(state.failedChunks.length > 0, 'nothing has failed');
    },
  });
  const stopNow = (): BackfillStatus => {
    state.stopping = true;
    return changed();
  };
  setHandler(stop, stopNow, {
    validator: () => {
      atWork();
      demand(!state.stopping, 'it is stopping already');
    },
  });
  handleApproval(state, changed);
}

/** What a person says of an audited backfill. */
function handleApproval(state: BackfillState, changed: () => BackfillStatus): void {
  const awaited = (): void =>
    demand(state.phase === 'awaiting approval', `it is ${state.phase}: nothing awaits approval`);
  const decide = (decision: 'approved' | 'rejected'): BackfillStatus => {
    if (state.audit) state.audit.decision = decision;
    return changed();
  };
  setHandler(approve, () => decide('approved'), { validator: awaited });
  setHandler(reject, () => decide('rejected'), { validator: awaited });
}
