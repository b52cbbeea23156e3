// pubsub.ts FILE: the local Pub/Sub in memory, with the topic of the records; its address is written to the file.
import { writeFileSync } from 'node:fs';
import { PubSub } from '@google-cloud/pubsub';
import { TOPICS } from '../../local/buckets.ts';
import { startPubsub } from '../../local/pubsub/server.ts';
import { COMMON } from '../temporal/setting.ts';

const { endpoint } = await startPubsub();
process.env.PUBSUB_EMULATOR_HOST = endpoint;
const pubsub = new PubSub({ projectId: COMMON.CUPEL_PROJECT });
await pubsub.createTopic(TOPICS.records);
await pubsub.close();
writeFileSync(process.argv[2] ?? '', endpoint);
