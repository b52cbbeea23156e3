import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { PubSub } from '@google-cloud/pubsub';
import type { Message } from '@google-cloud/pubsub';
import { startPubsub } from '../local/pubsub/server.ts';

const HELP = `Measures messages per second through the local Pub/Sub and Google's own client: a process each for the server, the
publishers and the subscriber, which run at the same time. The server keeps its journal, as in \`npx cupel local up\`.

  node scripts/bootstrap.mjs bench/pubsub.ts [options]

  --messages N    to send and to receive (default: 200000)
  --bytes N       of a message (default: 1000)
  --in-memory     without the journal
`;

/** What a run is made of. */
interface Load {
  messages: number;
  bytes: number;
}

const PROJECT = 'bench';
const TOPIC = 'load';
const SUBSCRIPTION = 'load-all';

/** Messages that wait for their answer; more would only lie in the client's memory. */
const UNANSWERED = 20_000;

const roles: Record<string, (load: Load, folder: string) => Promise<void>> = { server, publisher, subscriber };

function tell(message: object): void {
  process.send?.(message);
}

const asked = (): Promise<void> => new Promise((resolve) => process.once('message', () => resolve()));

async function server(_load: Load, folder: string): Promise<void> {
  const { endpoint } = await startPubsub(folder ? { stateDirectory: folder } : {});
  tell({ endpoint });
}

async function publisher({ messages, bytes }: Load): Promise<void> {
  const pubsub = new PubSub({ projectId: PROJECT });
  const topic = pubsub.topic(TOPIC, { batching: { maxMessages: 1_000, maxMilliseconds: 10, maxBytes: 5 << 20 } });
  const data = Buffer.alloc(bytes, 'x');
  tell({ ready: true });
  await asked();
  const started = Date.now();
  const answers = new Set<Promise<unknown>>();
  for (let sent = 0; sent < messages; sent += 1) {
    const answer: Promise<unknown> = topic.publishMessage({ data }).finally(() => answers.delete(answer));
    answers.add(answer);
    if (answers.size >= UNANSWERED) await Promise.race(answers);
  }
  await Promise.all(answers);
  tell({ started, ended: Date.now() });
}

async function subscriber({ messages }: Load): Promise<void> {
  const pubsub = new PubSub({ projectId: PROJECT });
  const subscription = pubsub.subscription(SUBSCRIPTION, { flowControl: { maxMessages: 20_000, maxBytes: 200 << 20 } });
  const seen = new Set<string>();
  await new Promise<void>((resolve) => {
    subscription.on('message', (message: Message) => {
      message.ack();
      seen.add(message.id);
      if (seen.size === messages) resolve();
    });
    tell({ ready: true });
  });
  tell({ ended: Date.now() });
  await subscription.close();
}

/** A process of this file in a role; `next` is what it tells next. */
function start(role: string, load: Load, folder: string) {
  const args = ['--role', role, '--messages', String(load.messages), '--bytes', String(load.bytes), '--folder', folder];
  const child: ChildProcess = fork(import.meta.filename, args);
  const next = () =>
    new Promise<Record<string, unknown>>((resolve, reject) => {
      child.once('message', (message) => resolve(message as Record<string, unknown>));
      child.once('exit', (code) => reject(new Error(`the ${role} ended with ${code}`)));
    });
  return { child, next };
}

async function run(load: Load, folder: string): Promise<string> {
  const children: ChildProcess[] = [];
  const begin = (...args: Parameters<typeof start>) => {
    const started = start(...args);
    children.push(started.child);
    return started;
  };
  try {
    const { endpoint } = await begin('server', load, folder).next();
    process.env.PUBSUB_EMULATOR_HOST = String(endpoint);
    const pubsub = new PubSub({ projectId: PROJECT });
    const [topic] = await pubsub.createTopic(TOPIC);
    await topic.createSubscription(SUBSCRIPTION, { ackDeadlineSeconds: 60 });
    const receiving = begin('subscriber', load, folder);
    await receiving.next();
    const sending = begin('publisher', load, folder);
    await sending.next();
    const ends = Promise.all([sending.next(), receiving.next()]);
    sending.child.send('go');
    const [{ started, ended: sent }, { ended: received }] = await ends;
    await pubsub.close();
    const rate = (end: unknown): number => Math.round((load.messages / (Number(end) - Number(started))) * 1_000);
    const how = folder ? 'with the journal' : 'in memory';
    return `${load.messages} messages of ${load.bytes} bytes, ${how}: ${rate(sent)}/s published, ${rate(received)}/s delivered`;
  } finally {
    for (const child of children) child.kill();
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      messages: { type: 'string', default: '200000' },
      bytes: { type: 'string', default: '1000' },
      'in-memory': { type: 'boolean', default: false },
      role: { type: 'string' },
      folder: { type: 'string', default: '' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return void console.log(HELP);
  const load = { messages: Number(values.messages), bytes: Number(values.bytes) };
  if (values.role) return roles[values.role]?.(load, values.folder);
  // Google's clients look for a metadata server for seconds unless they are told that there is none.
  process.env.METADATA_SERVER_DETECTION = 'none';
  const folder = values['in-memory'] ? '' : mkdtempSync(path.join(tmpdir(), 'cupel-bench-pubsub-'));
  try {
    console.log(await run(load, folder));
  } finally {
    if (folder) rmSync(folder, { recursive: true });
  }
}

await main();
