import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { PubSub } from '@google-cloud/pubsub';
import type { Storage } from '@google-cloud/storage';
import { PROJECT } from '../scripts/tools.ts';

/** The buckets of the lakehouse, by what they hold. */
export const BUCKETS = {
  bronze: 'cupel-bronze',
  silver: 'cupel-silver',
  ops: 'cupel-ops',
  quarantine: 'cupel-quarantine',
} as const;

/** Topics: the records, and Bronze's finalize notifications. */
export const TOPICS = { records: 'cupel-records', finalized: 'cupel-bronze-finalized' } as const;

async function unlessThere(creation: Promise<unknown>): Promise<void> {
  try {
    await creation;
  } catch (error) {
    if ((error as { code?: number }).code !== 409) throw error;
  }
}

/** Makes buckets, topics, the notification of Bronze and the template: what Terraform makes in the cloud. */
export async function provision(storage: Storage, pubsub: PubSub): Promise<void> {
  await Promise.all([
    ...Object.values(BUCKETS).map((name) => unlessThere(storage.createBucket(name))),
    ...Object.values(TOPICS).map((name) => pubsub.createTopic(name)),
  ]);
  // The server keeps notifications in memory, so a start is always the first time.
  await storage
    .bucket(BUCKETS.bronze)
    .createNotification(pubsub.topic(TOPICS.finalized).name, { eventTypes: ['OBJECT_FINALIZE'] });
  const template = await readFile(path.join(PROJECT, 'beam/deploy/kappa.json'));
  await storage.bucket(BUCKETS.ops).file('templates/kappa.json').save(template, { resumable: false });
}
