import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure } from '@temporalio/workflow';

/** The failure that an activity or a child gave as its reason. */
function reasonOf(error: unknown): unknown {
  return error instanceof ActivityFailure || error instanceof ChildWorkflowFailure ? error.cause : error;
}

/** Code of the catalogue; `unknown` where the error has none. */
export function codeOf(error: unknown): string {
  const reason = reasonOf(error);
  return reason instanceof ApplicationFailure ? (reason.type ?? 'unknown') : 'unknown';
}

/** What it says, without Temporal's own words around it. */
export function messageOf(error: unknown): string {
  const reason = reasonOf(error);
  return reason instanceof Error ? reason.message : String(reason);
}
