import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';
import { ApplicationFailure } from '@temporalio/common';
import { CupelError } from '../errors.ts';

/** Turns errors of the catalogue into failures whose type is the code, and tells Temporal whether trying again is of use. */
export class CodedFailures implements ActivityInboundCallsInterceptor {
  async execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    try {
      return await next(input);
    } catch (error) {
      if (!(error instanceof CupelError)) throw error;
      // The cause is what lies beneath: the coded error itself is this failure.
      const cause = error.cause instanceof Error ? error.cause : undefined;
      throw ApplicationFailure.create({
        message: error.message,
        type: error.code,
        nonRetryable: !error.retryable,
        details: [error.details],
        ...(cause ? { cause } : {}),
      });
    }
  }
}
