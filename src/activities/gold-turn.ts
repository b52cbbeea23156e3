import { CancelledFailure, Context } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { GoldTurnsInput, TurnAnswer, TurnHolder } from '../workflows/gold-turn-messages.ts';
import { goldTurnsId } from '../workflows/ids.ts';
import { askEntity } from './ask-entity.ts';
import { withHeartbeat } from './heartbeats.ts';
import { leaveToNextWorker, pause } from './polling.ts';
import type { ActivityResources } from './resources.ts';

/** Longest pause before somebody far behind in the queue asks again. */
const LONGEST_PAUSE_MS = 60_000;

/** Activities on Gold's turn. */
export function goldTurnActivities({ environment, temporal }: ActivityResources) {
  const entity = { type: 'goldTurns', workflowId: goldTurnsId(), input: {} satisfies GoldTurnsInput };
  const ask = (holder: TurnHolder): Promise<TurnAnswer> =>
    askEntity(temporal, entity, { update: 'takeTurn', input: holder });

  async function awaitTurn(holder: TurnHolder, tell: (details: unknown) => void): Promise<void> {
    const { cancelled, cancellationSignal } = Context.current();
    while (!cancellationSignal.aborted) {
      const asked = ask(holder);
      const { yours, ahead } = await Promise.race([asked, cancelled]);
      if (yours) return;
      tell({ ahead });
      await pause(Math.min(LONGEST_PAUSE_MS, ahead * environment.pollIntervalMs));
    }
    throw new CancelledFailure('the turn is not waited for any more');
  }

  return {
    /**
     * Waits until it is a run's turn to make Gold. Cancelling ends the waiting; the place in the queue is given back by `endGoldTurn`.
     *
     * @throws CupelError CUP_WORKER_STOPPING, so that another worker waits on: the place is kept
     */
    takeGoldTurn: (holder: TurnHolder): Promise<void> =>
      withHeartbeat((tell) =>
        awaitTurn(holder, tell).catch((error: unknown) => {
          if (Context.current().cancellationSignal.aborted) leaveToNextWorker();
          throw error;
        }),
      ),

    /** Gives Gold's turn back, or a place in the queue; an entity that is gone has neither. */
    async endGoldTurn(holder: TurnHolder): Promise<void> {
      try {
        await temporal.workflow.getHandle(goldTurnsId()).executeUpdate('endTurn', { args: [holder] });
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
    },
  };
}
