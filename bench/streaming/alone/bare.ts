// bare.ts FILE: a consumer that acknowledges and notes when it saw which message: what no stream can be quicker than.
import { createWriteStream } from 'node:fs';
import { PubSub } from '@google-cloud/pubsub';
import type { Message } from '@google-cloud/pubsub';
import { PROJECT_ID, SUBSCRIPTION } from './names.ts';

const received = createWriteStream(process.argv[2] ?? '');
received.write('published,seen\n');
const pubsub = new PubSub({ projectId: PROJECT_ID });
// As much room as Cupel's job has.
const flowControl = { maxMessages: 10_000, maxBytes: 256 << 20, allowExcessMessages: false };
const subscription = pubsub.subscription(SUBSCRIPTION, { flowControl });
const seen = new Set<string>();
subscription.on('message', (message: Message) => {
  message.ack();
  if (seen.has(message.id)) return;
  seen.add(message.id);
  received.write(`${Number(message.attributes.carrier_order) / 1000},${Date.now()}\n`);
});
process.once('SIGTERM', () => received.end(() => process.exit()));
