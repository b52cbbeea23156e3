import { Client, Connection } from '@temporalio/client';
import { connectResources } from '../../src/activities/connect.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { listSources, loadContract, publishContract } from '../../src/lakehouse/contract-store.ts';
import { temporalSettings } from '../../src/temporal.ts';
import { launchCloud } from '../launch.ts';
import type { LaunchedCloud } from '../launch.ts';
import type { UsgsServer } from '../usgs/server.ts';
import { copyContracts } from './contract-copies.ts';
import type { DemoFeed } from './feed.ts';
import type { ReportResources } from './report.ts';

/** Source of what is polled. */
export const SOURCE = 'earthquakes';

/** A cloud of the demo's own, and what reaches it. */
export interface Running {
  cloud: LaunchedCloud;
  client: Client;
  resources: ReportResources;
  /** Of what is polled. */
  contract: CompiledContract;
  others: CompiledContract[];
  stateDirectory: string;
  contractsDirectory: string;
}

/** Starts the cloud; the process's own environment becomes that of a process in it. */
export async function startDemo(
  stateDirectory: string,
  feed: DemoFeed,
  usgs: UsgsServer | undefined,
  streamed: boolean,
): Promise<Running> {
  const feeds = feed.polls?.map((poll) => poll.feed) ?? [];
  const contractsDirectory = await copyContracts(stateDirectory, feeds, streamed);
  const endpoints = usgs ? ['--http-endpoints', `earthquake.usgs.gov=${usgs.url}`] : [];
  const cloud = await launchCloud(stateDirectory, ['--contracts', contractsDirectory, ...endpoints]);
  Object.assign(process.env, cloud.env);
  const { namespace, ...connection } = temporalSettings();
  const client = new Client({ connection: await Connection.connect(connection), namespace });
  const resources = await connectResources(readEnvironment(), client);
  const contract = await loadContract(contractsDirectory, SOURCE);
  await publishContract(resources.store, resources.environment.buckets.ops, contract);
  const names = (await listSources(contractsDirectory)).filter((name) => name !== SOURCE);
  const others = await Promise.all(names.map((name) => loadContract(contractsDirectory, name)));
  return { cloud, client, resources, contract, others, stateDirectory, contractsDirectory };
}

/** The contract of another source. */
export function otherContract({ others }: Running, source: string): CompiledContract {
  const found = others.find((contract) => contract.source === source);
  if (!found) throw new Error(`expected the contract ${source}`);
  return found;
}
