// pubsub.ts FILE FOLDER: the local Pub/Sub with its journal, as `npx cupel local up` has it; its address is written to the file.
import { writeFileSync } from 'node:fs';
import { PubSub } from '@google-cloud/pubsub';
import { startPubsub } from '../../../local/pubsub/server.ts';
import { PROJECT_ID, SUBSCRIPTION, TOPIC } from './names.ts';

const [file = '', folder = ''] = process.argv.slice(2);
const { endpoint } = await startPubsub({ stateDirectory: folder });
process.env.PUBSUB_EMULATOR_HOST = endpoint;
const pubsub = new PubSub({ projectId: PROJECT_ID });
const [topic] = await pubsub.createTopic(TOPIC);
await topic.createSubscription(SUBSCRIPTION, { ackDeadlineSeconds: 60 });
await pubsub.close();
writeFileSync(file, endpoint);
