import type { PubSub, Topic } from '@google-cloud/pubsub';
import type { CompiledContract } from '../src/contracts/index.ts';
import { ARCHIVE_DATETIME_FORMAT, ARCHIVE_FEED } from '../src/lakehouse/bronze/index.ts';
import { RAW_DATASET } from '../src/lakehouse/raw/index.ts';
import { streamSubscription } from '../src/lakehouse/streams/index.ts';
import { BUCKETS, TOPICS, unlessThere } from './buckets.ts';

/** Pub/Sub closes an archive's file after at least a minute. */
const ARCHIVE_SECONDS = 60;

async function topicOf(pubsub: PubSub, { messaging }: CompiledContract): Promise<Topic> {
  if (!messaging?.topic) return pubsub.topic(TOPICS.records);
  await unlessThere(pubsub.createTopic(messaging.topic));
  return pubsub.topic(messaging.topic);
}

function toBigQuery(projectId: string, contract: CompiledContract): object {
  const { rawTable, rawColumns, topic } = contract.messaging ?? {};
  const byColumns = rawColumns === 'contract' ? { useTableSchema: true, dropUnknownFields: true } : {};
  return {
    bigqueryConfig: { table: `${projectId}.${RAW_DATASET}.${rawTable ?? ''}`, writeMetadata: true, ...byColumns },
    ...(topic ? {} : { filter: `attributes.source = "${contract.source}"` }),
  };
}

/** As docs/streaming.md has it: Google's client extends the deadline of what a job holds. */
function toStream({ source, messaging }: CompiledContract): object {
  return {
    ackDeadlineSeconds: 60,
    ...(messaging?.topic ? {} : { filter: `attributes.source = "${source}"` }),
  };
}

function toBronze({ source, unpack }: CompiledContract): object {
  return {
    ackDeadlineSeconds: ARCHIVE_SECONDS,
    cloudStorageConfig: {
      bucket: BUCKETS.bronze,
      filenamePrefix: `${source}/${ARCHIVE_FEED}/dt=`,
      filenameDatetimeFormat: ARCHIVE_DATETIME_FORMAT,
      filenameSuffix: `.${unpack.extension}`,
      maxDuration: { seconds: ARCHIVE_SECONDS },
      avroConfig: { writeMetadata: true },
    },
  };
}

/** Makes topics and subscriptions of the contracts, as Terraform makes them in the cloud (docs/subscriptions.md). The tables of `raw` are there. */
export async function provisionSubscriptions(
  pubsub: PubSub,
  projectId: string,
  contracts: CompiledContract[],
): Promise<void> {
  for (const contract of contracts) {
    const topic = await topicOf(pubsub, contract);
    if (contract.messaging?.rawTable)
      await unlessThere(topic.createSubscription(`raw-${contract.source}`, toBigQuery(projectId, contract)));
    if (contract.stream)
      await unlessThere(topic.createSubscription(streamSubscription(contract.source), toStream(contract)));
    if (contract.feeds.some(({ kind }) => kind === 'subscription'))
      await unlessThere(topic.createSubscription(`archive-${contract.source}`, toBronze(contract)));
  }
}
