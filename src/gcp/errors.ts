import { CupelError, cupelError } from '../errors.ts';

/** gRPC status codes that a later try may not meet: cancelled, unknown, deadline, resource exhausted, aborted, internal, unavailable. */
const RETRYABLE_GRPC = new Set([1, 2, 4, 8, 10, 13, 14]);
const RETRYABLE_HTTP = new Set([408, 425, 429, 500, 502, 503, 504]);

/** gRPC NOT_FOUND. */
export const NOT_FOUND = 5;
/** gRPC ALREADY_EXISTS. */
export const ALREADY_EXISTS = 6;
/** gRPC FAILED_PRECONDITION. */
export const FAILED_PRECONDITION = 9;

/** The numeric code of a Google client's error: gRPC below 17, HTTP above; undefined for any other error. */
export function googleCode(error: unknown): number | undefined {
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'number') return code;
  return typeof code === 'string' && /^\d+$/.test(code) ? Number(code) : undefined;
}

/** Reasons of BigQuery that may pass (its page "Error messages"); a failed job has a reason and no code. */
const PASSING_REASONS = new Set([
  'backendError',
  'internalError',
  'jobBackendError',
  'jobInternalError',
  'jobRateLimitExceeded',
  'rateLimitExceeded',
  'tableUnavailable',
  'timeout',
]);

/** The reason that BigQuery gives with an error; undefined for any other error. */
function reasonOf(error: unknown): string | undefined {
  const { errors } = error as { errors?: { reason?: string }[] };
  return Array.isArray(errors) ? errors[0]?.reason : undefined;
}

/** Whether the error says that what was asked for does not exist. */
export function isNotFound(error: unknown): boolean {
  const code = googleCode(error);
  return code === 404 || code === NOT_FOUND || reasonOf(error) === 'notFound';
}

/** Whether the same request may succeed later; an error without a code is a lost connection, so it may. */
export function isTransient(error: unknown): boolean {
  if (error instanceof CupelError) return error.retryable;
  const code = googleCode(error);
  const reason = reasonOf(error);
  if (code === undefined) return reason === undefined || PASSING_REASONS.has(reason);
  return code < 17 ? RETRYABLE_GRPC.has(code) : RETRYABLE_HTTP.has(code);
}

/** Turns an error of a Google client into one of the catalogue; one that is coded already stays as it is. */
export function googleError(service: string, request: string, error: unknown): CupelError {
  if (error instanceof CupelError) return error;
  const details = { service, request, code: googleCode(error) ?? 'none', answer: (error as Error).message };
  return cupelError(isTransient(error) ? 'CUP_GOOGLE_UNAVAILABLE' : 'CUP_GOOGLE_REFUSED', details, error);
}
