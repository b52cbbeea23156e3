import { Client, Connection } from '@temporalio/client';
import { connectResources } from '../activities/connect.ts';
import type { ActivityResources } from '../activities/index.ts';
import type { CompiledContract } from '../contracts/index.ts';
import { readEnvironment } from '../gcp/env.ts';
import { contractInForce } from '../lakehouse/published-contract.ts';
import { temporalSettings } from '../temporal.ts';

/** Runs work with a Temporal client, and closes its connection. */
export async function withTemporal<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const { namespace, ...options } = temporalSettings();
  const connection = await Connection.connect(options);
  try {
    return await work(new Client({ connection, namespace }));
  } finally {
    await connection.close();
  }
}

/** Runs work with every client that the environment names. */
export async function withResources<T>(work: (resources: ActivityResources) => Promise<T>): Promise<T> {
  return withTemporal(async (client) => work(await connectResources(readEnvironment(), client)));
}

/**
 * The contract by which a source's tables are read.
 *
 * @throws CupelError CUP_SOURCE_UNKNOWN, CUP_CONTRACT_INVALID
 */
export async function contractOf({ store, environment }: ActivityResources, source: string): Promise<CompiledContract> {
  return contractInForce({ store, opsBucket: environment.buckets.ops }, environment.contractsDirectory, source);
}
