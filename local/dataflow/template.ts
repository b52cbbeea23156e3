import grpc from '@grpc/grpc-js';
import { GrpcError } from '../grpc.ts';

/** The part of a Flex Template's ContainerSpec that this server reads. */
export interface ContainerSpec {
  image: string;
  metadata?: {
    name?: string;
    streaming?: boolean;
    parameters?: { name: string; isOptional?: boolean; regexes?: string[] }[];
  };
}

/** Checks parameters as Dataflow does when a job is submitted. */
export function checkParameters(spec: ContainerSpec, given: Record<string, string>, errorId: string): void {
  const known = spec.metadata?.parameters ?? [];
  const missing = known.filter(({ name, isOptional }) => !isOptional && !(name in given)).map(({ name }) => name);
  const names = new Set(known.map(({ name }) => name));
  const unknown = Object.keys(given).filter((name) => !names.has(name));
  const matches = (value: string, regexes: string[]) =>
    regexes.every((regex) => new RegExp(`^(?:${regex})$`).test(value));
  const wrong = known
    .filter(({ name, regexes }) => name in given && !matches(given[name] ?? '', regexes ?? []))
    .map(({ name }) => name);
  const faults = [
    missing.length ? ` Missing required parameters: ${missing.join(', ')}` : '',
    unknown.length ? ` Unrecognized: ${unknown.join(', ')}` : '',
    wrong.length ? ` Did not match regexes: ${wrong.join(', ')}` : '',
  ].join('');
  if (faults)
    throw new GrpcError(grpc.status.INVALID_ARGUMENT, `(${errorId}): The template parameters are invalid.${faults}`);
}
