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
  inbox: 'cupel-inbox',
} as const;

/** Topics: the records, Bronze's finalize notifications, what people are told, and what others have started. */
export const TOPICS = {
  records: 'cupel-records',
  finalized: 'cupel-bronze-finalized',
  notifications: 'cupel-notifications',
  control: 'cupel-control',
} as const;

/** The worker's subscription of the topic `cupel-control`. */
export const CONTROL_SUBSCRIPTION = 'cupel-control-worker';

/** As docs/production.md has it, with waits for a laptop. */
const CONTROL_OPTIONS = {
  ackDeadlineSeconds: 60,
  retryPolicy: { minimumBackoff: { seconds: 1 }, maximumBackoff: { seconds: 10 } },
};

/** HTTP's conflict and gRPC's ALREADY_EXISTS. */
const THERE = new Set<unknown>([409, 6]);

export async function unlessThere(creation: Promise<unknown>): Promise<void> {
  try {
    await creation;
  } catch (error) {
    if (!THERE.has((error as { code?: number }).code)) throw error;
  }
}

/** Makes buckets, topics, the worker's subscription, the notifications of objects and the templates: what Terraform makes in the cloud. */
export async function provision(storage: Storage, pubsub: PubSub): Promise<void> {
  await Promise.all([
    ...Object.values(BUCKETS).map((name) => unlessThere(storage.createBucket(name))),
    ...Object.values(TOPICS).map((name) => unlessThere(pubsub.createTopic(name))),
  ]);
  await unlessThere(pubsub.createSubscription(TOPICS.control, CONTROL_SUBSCRIPTION, CONTROL_OPTIONS));
  await notifyOfObjects(storage, pubsub);
  for (const name of ['kappa.json', 'kappa-stream.json']) {
    const template = await readFile(path.join(PROJECT, 'beam/deploy', name));
    await storage.bucket(BUCKETS.ops).file(`templates/${name}`).save(template, { resumable: false });
  }
}

/** Makes the notifications of Bronze and of the inbox. The server keeps them in memory, so each start of it is the first time. */
export async function notifyOfObjects(storage: Storage, pubsub: PubSub): Promise<void> {
  const { name } = pubsub.topic(TOPICS.finalized);
  for (const bucket of [BUCKETS.bronze, BUCKETS.inbox])
    await storage.bucket(bucket).createNotification(name, { eventTypes: ['OBJECT_FINALIZE'] });
}
