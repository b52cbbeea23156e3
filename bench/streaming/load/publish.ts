// publish.ts JOB: publishes messages at a steady rate and notes each: what a person's functions would do, from a process of its own.
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { PubSub } from '@google-cloud/pubsub';
import { EventMessages } from './event-messages.ts';
import { Pace } from './pace.ts';
import type { PublishJob, Published } from './publisher.ts';

/** Milliseconds between two looks at what is due. */
const LOOK_MS = 5;

/** Messages that wait for their answer; more would only lie in this process. */
const UNANSWERED = 20_000;

const job = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as PublishJob;
const pubsub = new PubSub({ projectId: job.project });
const topic = pubsub.topic(job.topic, { batching: { maxMessages: 1_000, maxMilliseconds: 10, maxBytes: 5 << 20 } });
const messages = new EventMessages(job.origin, job.seed);
const sent = createWriteStream(job.sent);
sent.write('id,updated,published\n');
let unanswered = 0;
let failure: Error | undefined;

function publish(): void {
  const now = Date.now();
  const { id, updated, data, attributes } = messages.next(now);
  unanswered += 1;
  topic
    .publishMessage({ data, attributes })
    .catch((error: unknown) => (failure ??= error as Error))
    .finally(() => (unanswered -= 1));
  sent.write(`${id},${updated},${now}\n`);
}

const startedMs = Date.now();
const pace = new Pace(job.perSecond, job.seconds, startedMs);
while (!pace.done && !failure) {
  for (let due = pace.due(Date.now(), UNANSWERED - unanswered); due > 0; due -= 1) publish();
  if (sent.writableNeedDrain) await once(sent, 'drain');
  await delay(LOOK_MS);
}
const endedMs = Date.now();
await topic.flush();
while (unanswered > 0 && !failure) await delay(LOOK_MS);
if (failure) throw failure;
sent.end();
await once(sent, 'finish');
await pubsub.close();
const { user, system } = process.cpuUsage();
const done: Published = { messages: pace.total, startedMs, endedMs, cpuSeconds: (user + system) / 1e6 };
writeFileSync(job.done, JSON.stringify(done));
