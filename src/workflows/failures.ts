import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure } from '@temporalio/workflow';

/** The failure that an activity gave as its reason, or a child, whose own reason may be that of its activity. */
function reasonOf(error: unknown): unknown {
  return error instanceof ActivityFailure || error instanceof ChildWorkflowFailure ? reasonOf(error.cause) : error;
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
