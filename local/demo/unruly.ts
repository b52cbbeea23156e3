import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { PubSub } from '@google-cloud/pubsub';
import { unpackObject } from '../../src/contracts/index.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { recordPublisher } from '../../src/ingest/record-publisher.ts';
import { notedServers } from '../servers-file.ts';
import { JOB_PREFIX } from '../supervise.ts';
import type { ReportResources } from './report.ts';

// What a stream must bear: its records again and backwards, what nobody can read, other rules half-way, and kills.

/** Publishes every record of Bronze again, the last one first: what was new comes before what was old. Returns their number. */
export async function publishBackwards(
  { store, environment }: ReportResources,
  pubsub: PubSub,
  contract: CompiledContract,
): Promise<number> {
  const { bronze } = environment.buckets;
  const publisher = recordPublisher(pubsub, environment.recordsTopic);
  const names: string[] = [];
  for (const { name: feed } of contract.feeds)
    for await (const { name } of store.list(`gs://${bronze}/${contract.source}/${feed}/dt=`)) names.push(name);
  let published = 0;
  for (const name of names.sort().toReversed()) {
    const opened = await unpackObject(contract, await store.read(`gs://${bronze}/${name}`), name);
    published += await publisher.publish(contract, name, { ...opened, records: opened.records.toReversed() });
  }
  return published;
}

/** Publishes a message that is no JSON: it ends in quarantine, and stops nothing. */
export async function publishPoison(
  pubsub: PubSub,
  { environment }: ReportResources,
  { source }: CompiledContract,
): Promise<void> {
  const topic = pubsub.topic(environment.recordsTopic);
  await topic.publishMessage({ data: Buffer.from('{"type":"Feature",'), attributes: { source } });
}

const RULES_VERSION = /(property: rulesVersion, value: )1\b/;

/** Raises the rules version of the copied contract, once: a demo that goes on with kept data finds it raised. */
export async function raiseRules(contractsDirectory: string, source: string): Promise<void> {
  const file = path.join(contractsDirectory, `${source}.yaml`);
  const text = await readFile(file, 'utf8');
  await writeFile(
    file,
    text.replace(RULES_VERSION, (_, property: string) => `${property}2`),
  );
}

/** Ends processes of the cloud without a word, as a machine that goes away does: jobs, or the server of a name. */
export function killAtOnce(stateDirectory: string, what: 'jobs' | 'worker'): number {
  const servers = Object.entries(notedServers(stateDirectory));
  const chosen = servers.filter(([name]) => (what === 'jobs' ? name.startsWith(JOB_PREFIX) : name === what));
  return chosen.filter(([, { pid }]) => killed(pid)).length;
}

function killed(pid: number): boolean {
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false; // it has ended by itself
  }
}
