import { readFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import path from 'node:path';
import type { CompiledContract } from '../../../src/contracts/index.ts';
import { ProcessGroup } from '../../meter/process-group.ts';
import type { EventMessages } from './event-messages.ts';

/** What a publisher is told, as JSON. */
export interface PublishJob {
  project: string;
  topic: string;
  perSecond: number;
  seconds: number;
  seed: number;
  origin: ConstructorParameters<typeof EventMessages>[0];
  /** File that it notes its messages in: `id,updated,published`, milliseconds since 1970. */
  sent: string;
  /** File that it writes last. */
  done: string;
}

/** What a publisher has done. */
export interface Published {
  messages: number;
  /** Milliseconds since 1970. */
  startedMs: number;
  endedMs: number;
  /** CPU of the publisher. */
  cpuSeconds: number;
}

/** A steady load. */
export interface Load {
  perSecond: number;
  seconds: number;
}

/** Where it goes to. */
export interface Target {
  project: string;
  topic: string;
  contract: CompiledContract;
  /** Environment of the publisher, the address of Pub/Sub above all. */
  env: Record<string, string>;
  /** Folder of its files. */
  directory: string;
}

/** A load that was published, and the file that notes each message. */
export interface PublishedLoad extends Published {
  sent: string;
}

/** Publishes a load from a process of its own, to its end. */
export async function publishLoad(load: Load, target: Target): Promise<PublishedLoad> {
  const { project, topic, contract, env, directory } = target;
  const { source, feeds, unpack, hash } = contract;
  const origin = { source, feed: feeds[0]?.name ?? '', extension: unpack.extension, contract: hash };
  const files = { sent: path.join(directory, 'sent.csv'), done: path.join(directory, 'published.json') };
  const job: PublishJob = { ...load, project, topic, seed: 1, origin, ...files };
  const file = path.join(directory, 'publish.json');
  writeFileSync(file, JSON.stringify(job));
  const group = new ProcessGroup('publisher');
  const logFile = path.join(directory, 'publisher.log');
  try {
    const args = ['--disable-warning=ExperimentalWarning', path.join(import.meta.dirname, 'publish.ts'), file];
    const [code] = (await once(group.spawn({ command: process.execPath, args, env, logFile }), 'exit')) as [number];
    if (code !== 0) throw new Error(`the publisher ended with ${code}: see ${logFile}`);
  } finally {
    await group.close();
  }
  return { ...(JSON.parse(readFileSync(files.done, 'utf8')) as Published), sent: files.sent };
}
