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
import type { BackfillStatus, ChunkOutcome } from './messages.ts';
import { refresh } from './show.ts';
import { chunkHasEnded, lineUpFailed } from './state.ts';
import type { BackfillState } from './state.ts';
import { statusOf } from './status.ts';

function demand(condition: boolean, otherwise: string): void {
  if (!condition) throw ApplicationFailure.nonRetryable(otherwise, 'CUP_BACKFILL_INPUT');
}

/** What every handler works with. */
interface Hearing {
  state: BackfillState;
  /** Shows the state, and is the answer of every update. */
  changed(): BackfillStatus;
  /** Refuses what is of no use unless chunks are being processed. */
  atWork(): void;
}

/** Hears what people and chunks say. Each change is shown at once; validators refuse what would change nothing. */
export function handleUpdates(settings: BackfillSettings, state: BackfillState): void {
  const status = (): BackfillStatus => statusOf(settings.source, state, Date.now());
  const hearing: Hearing = {
    state,
    changed: () => {
      refresh(settings, state);
      return status();
    },
    atWork: () => demand(state.phase === 'running', `it is ${state.phase}: no chunks are started now`),
  };
  setHandler(statusQuery, status, { description: 'where it stands' });
  const hear = (outcome: ChunkOutcome): void => {
    chunkHasEnded(state, outcome);
    hearing.changed();
  };
  setHandler(chunkEnded, hear, { description: 'from a chunk: it has ended' });
  handlePause(hearing);
  handleConcurrency(hearing);
  handleEnd(hearing);
  handleApproval(hearing);
}

function handlePause({ state, changed, atWork }: Hearing): void {
  // Temporal's command line may say nothing at all.
  const pauseNow = (input: { reason?: string } | undefined): BackfillStatus => {
    state.paused = { reason: input?.reason || 'no reason given', at: Date.now() };
    return changed();
  };
  setHandler(pause, pauseNow, {
    description: 'start no more chunks until it is resumed: {"reason":"…"}',
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
  setHandler(resume, resumeNow, {
    description: 'go on after a pause',
    validator: () => demand(state.paused !== undefined, 'it is not paused'),
  });
}

function handleConcurrency({ state, changed }: Hearing): void {
  const setNow = ({ maxConcurrency }: { maxConcurrency: number }): BackfillStatus => {
    state.maxConcurrency = maxConcurrency;
    return changed();
  };
  setHandler(setConcurrency, setNow, {
    description: 'how many chunks run at once: {"maxConcurrency":4}',
    validator: (input: { maxConcurrency: number } | undefined) => {
      checkConcurrency(input?.maxConcurrency ?? NaN);
      demand(!state.inOrder || input?.maxConcurrency === 1, 'each chunk depends on the one before: one at a time');
    },
  });
}

function handleEnd({ state, changed, atWork }: Hearing): void {
  const retryNow = (): BackfillStatus => {
    lineUpFailed(state);
    return changed();
  };
  setHandler(retryFailed, retryNow, {
    description: 'run the failed chunks again, what is done in them left out',
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
    description: 'start no more chunks and end when those that run have ended',
    validator: () => {
      atWork();
      demand(!state.stopping, 'it is stopping already');
    },
  });
}

/** What a person says of an audited backfill. */
function handleApproval({ state, changed }: Hearing): void {
  const awaited = (): void =>
    demand(state.phase === 'awaiting approval', `it is ${state.phase}: nothing awaits approval`);
  const decide = (decision: 'approved' | 'rejected'): BackfillStatus => {
    if (state.audit) state.audit.decision = decision;
    return changed();
  };
  setHandler(approve, () => decide('approved'), { validator: awaited, description: 'audited: publish it' });
  setHandler(reject, () => decide('rejected'), { validator: awaited, description: 'audited: throw it away' });
}
