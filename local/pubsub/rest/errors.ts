import grpc from '@grpc/grpc-js';
import { GrpcError } from '../../grpc.ts';
import { InvalidAckIds } from '../services/ack-errors.ts';

/** HTTP statuses by gRPC status; all others are 500. */
const HTTP: Partial<Record<grpc.status, number>> = {
  [grpc.status.CANCELLED]: 499,
  [grpc.status.INVALID_ARGUMENT]: 400,
  [grpc.status.FAILED_PRECONDITION]: 400,
  [grpc.status.OUT_OF_RANGE]: 400,
  [grpc.status.UNAUTHENTICATED]: 401,
  [grpc.status.PERMISSION_DENIED]: 403,
  [grpc.status.NOT_FOUND]: 404,
  [grpc.status.ABORTED]: 409,
  [grpc.status.ALREADY_EXISTS]: 409,
  [grpc.status.RESOURCE_EXHAUSTED]: 429,
  [grpc.status.UNIMPLEMENTED]: 501,
  [grpc.status.UNAVAILABLE]: 503,
  [grpc.status.DEADLINE_EXCEEDED]: 504,
};

/** An error as Google's APIs write it. */
export interface ErrorAnswer {
  status: number;
  body: { error: { code: number; message: string; status: string; details?: object[] } };
}

/** What a call that failed is answered. */
export function errorAnswer(error: unknown): ErrorAnswer {
  const { code, details } =
    error instanceof GrpcError
      ? error
      : { code: grpc.status.INTERNAL, details: String((error as Error | undefined)?.message ?? error) };
  const status = HTTP[code] ?? 500;
  const more =
    error instanceof InvalidAckIds
      ? { details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', ...error.errorInfo }] }
      : {};
  return { status, body: { error: { code: status, message: details, status: grpc.status[code], ...more } } };
}
