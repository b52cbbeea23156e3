/** An error of the BigQuery API. */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }

  /** The body that a client expects. */
  get body(): object {
    return {
      error: {
        code: this.status,
        message: this.message,
        errors: [{ message: this.message, domain: 'global', reason: this.reason }],
      },
    };
  }
}

/** HTTP status of a job's error (BigQuery's reference, "Error messages"); what is not here is the client's fault. */
const STATUS_OF: Record<string, number> = {
  accessDenied: 403,
  backendError: 503,
  duplicate: 409,
  internalError: 500,
  notFound: 404,
  quotaExceeded: 403,
};

/** A job's error as the answer to the request that asks for its rows. */
export function jobError(error: { reason?: string; message?: string }): ApiError {
  const { reason = 'invalidQuery', message = 'the query failed' } = error;
  return new ApiError(STATUS_OF[reason] ?? 400, reason, message);
}
