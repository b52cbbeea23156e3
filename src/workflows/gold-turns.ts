import {
  allHandlersFinished,
  condition,
  continueAsNew,
  isCancellation,
  log,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { short } from './activities.ts';
import { codeOf } from './failures.ts';
import { turnDetails } from './gold-details.ts';
import { endTurn, takeTurn, turnsQuery } from './gold-turn-messages.ts';
import type { GoldTurnsInput, Place, TurnAnswer, TurnHolder } from './gold-turn-messages.ts';
import { tagEntity } from './visibility.ts';

/**
 * Places behind the holder whose question stays open until the turn is theirs. Temporal takes ten open updates of a workflow, and
 * the holder's `endTurn` needs one of them: those further behind are answered at once, and ask again.
 */
const KEPT_WAITING = 5;

/** Between two looks whether the holder lives, while somebody waits. */
const LOOK_EVERY = '30 seconds';

/**
 * What a dead holder's invocation is given to stop: the activity that waits for it hears of the end with its next heartbeat, and
 * cancels it.
 */
const GRACE = '30 seconds';

/** Entity workflow `gold-turns`: hands out Gold's turn, to one run at a time, first come first served. */
export async function goldTurns(input: GoldTurnsInput = {}): Promise<void> {
  const queue = input.queue ?? [];
  tagEntity('gold-turns');
  setHandler(turnsQuery, () => queue, { description: 'who has the turn, and behind it who waits' });
  setHandler(endTurn, (holder) => leave(queue, holder));
  setHandler(takeTurn, (asker) => answer(queue, asker));
  show(queue);
  while (!isOver()) await watchHolder(queue);
  await condition(allHandlersFinished);
  await continueAsNew<typeof goldTurns>({ queue });
}

/** Whether the history is long enough: then nobody is kept waiting by this run, and the next one has the queue. */
const isOver = (): boolean => workflowInfo().continueAsNewSuggested;

async function answer(queue: Place[], asker: TurnHolder): Promise<TurnAnswer> {
  const place = find(queue, asker) ?? join(queue, asker);
  place.asked += 1;
  const { asked } = place;
  // Who asks again did not hear the first answer: only the newest question is kept open, or lost ones would fill Temporal's ten.
  const isSettled = (): boolean => queue[0] === place || !queue.includes(place) || place.asked !== asked || isOver();
  if (queue.indexOf(place) <= KEPT_WAITING) await condition(isSettled);
  return { yours: queue[0] === place, ahead: Math.max(0, queue.indexOf(place)) };
}

function find(queue: Place[], { workflowId, runId }: TurnHolder): Place | undefined {
  return queue.find((place) => place.workflowId === workflowId && place.runId === runId);
}

function join(queue: Place[], { workflowId, runId }: TurnHolder): Place {
  const place = { workflowId, runId, since: now(), asked: 0 };
  queue.push(place);
  show(queue);
  return place;
}

function leave(queue: Place[], holder: TurnHolder): void {
  const place = find(queue, holder);
  if (!place) return;
  const had = queue[0] === place;
  queue.splice(queue.indexOf(place), 1);
  if (had && queue[0]) queue[0].since = now();
  show(queue);
}

const now = (): string => new Date(Date.now()).toISOString();

const show = (queue: Place[]): void => setCurrentDetails(turnDetails(queue));

/** While somebody waits: a holder that ended without giving the turn back (terminated, say) must not keep it. */
async function watchHolder(queue: Place[]): Promise<void> {
  await condition(() => queue.length > 1 || isOver());
  const [holder] = queue;
  if (!holder || isOver()) return;
  const isSettled = (): boolean => queue[0] !== holder || isOver();
  if (await isAlive(holder)) await condition(isSettled, LOOK_EVERY);
  else if (!(await condition(isSettled, GRACE))) leave(queue, holder);
}

/** A holder of which nobody can say whether it lives has the turn until somebody can. */
async function isAlive({ workflowId, runId }: TurnHolder): Promise<boolean> {
  try {
    return await short.isRunning({ workflowId, runId });
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.warn('nobody knows whether the holder lives', { workflowId, code: codeOf(error) });
    return true;
  }
}
