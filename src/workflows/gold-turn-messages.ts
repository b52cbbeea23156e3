import { defineQuery, defineUpdate } from '@temporalio/workflow';

/** A run that makes Gold, or wants to. */
export interface TurnHolder {
  workflowId: string;
  /** The first run of the chain. */
  runId: string;
}

/** A run in the queue; the first one has the turn. */
export interface Place extends TurnHolder {
  /** Since when it has the turn, or waits for it, ISO 8601. */
  since: string;
  /** Times that it asked. */
  asked: number;
}

/** Input of the entity. */
export interface GoldTurnsInput {
  /** Carried over when the history starts anew. */
  queue?: Place[];
}

/** What who asks is told. */
export interface TurnAnswer {
  yours: boolean;
  /** Runs before it, the holder among them. While the turn is not its own it asks again: its place is kept. */
  ahead: number;
}

/**
 * Asks for Gold's turn, and waits until it is the asker's. Asking again is harmless: a run has one place. Whoever stands far behind,
 * or asks while the history starts anew, is told so and asks again.
 */
export const takeTurn = defineUpdate<TurnAnswer, [TurnHolder]>('takeTurn');

/** Gives the turn back, or the place in the queue. Giving back nothing is no error. */
export const endTurn = defineUpdate<void, [TurnHolder]>('endTurn');

/** The queue; the first one has the turn. */
export const turnsQuery = defineQuery<Place[]>('turns');
