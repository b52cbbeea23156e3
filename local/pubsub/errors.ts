import grpc from '@grpc/grpc-js';
import { GrpcError } from '../grpc.ts';

export function notFound(name: string): GrpcError {
  return new GrpcError(grpc.status.NOT_FOUND, `Resource not found (resource=${name}).`);
}

export function alreadyExists(name: string): GrpcError {
  return new GrpcError(grpc.status.ALREADY_EXISTS, `Resource already exists in the project (resource=${name}).`);
}

export function failedPrecondition(details: string): GrpcError {
  return new GrpcError(grpc.status.FAILED_PRECONDITION, details);
}
