import { ActivityFailure, ApplicationFailure, condition } from '@temporalio/workflow';

/** Something that an update handler waits for. */
export interface Ask<I, O> {
  input: I;
  answer?: { ok: O } | { failed: unknown };
}

/** Asks the main loop of an entity for something, and waits for the answer; handlers themselves never do the work. */
export async function ask<I, O>(queue: Ask<I, O>[], input: I): Promise<O> {
  const mine: Ask<I, O> = { input };
  queue.push(mine);
  await condition(() => mine.answer !== undefined);
  return answerOf(mine);
}

function answerOf<I, O>({ answer }: Ask<I, O>): O {
  if (answer && 'ok' in answer) return answer.ok;
  const cause = answer?.failed instanceof ActivityFailure ? answer.failed.cause : answer?.failed;
  // Only a failure of the application is an answer to an update; anything else would hold the entity up.
  if (cause instanceof ApplicationFailure) throw cause;
  throw ApplicationFailure.nonRetryable(String(cause), 'unknown');
}
