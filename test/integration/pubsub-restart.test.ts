import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startPubsub } from '../../local/pubsub/server.ts';
import type { PubsubServer } from '../../local/pubsub/server.ts';
import { PubsubUser, text, until } from '../support/pubsub.ts';

let stateDirectory: string;
let server: PubsubServer | undefined;
let user: PubsubUser | undefined;

beforeEach(() => {
  stateDirectory = mkdtempSync(path.join(tmpdir(), 'cupel-pubsub-'));
});
afterEach(async () => {
  await stop();
  rmSync(stateDirectory, { recursive: true });
});

async function stop(): Promise<void> {
  await user?.cleanUp();
  await user?.close();
  await server?.stop();
  [user, server] = [undefined, undefined];
}

/** Stops the server, and starts one on the same folder. */
async function start(): Promise<PubsubUser> {
  await stop();
  server = await startPubsub({ stateDirectory });
  user = new PubsubUser(server.endpoint);
  return user;
}

const journal = (): string => path.join(stateDirectory, 'pubsub.ndjson');

test('topics, subscriptions and what nobody has acknowledged outlive a restart', async () => {
  let client = await start();
  const { topic, subscription } = await client.topicAndSubscription({
    filter: 'NOT attributes:skip',
    labels: { a: 'b' },
  });
  const gone = await client.topicAndSubscription();
  for (const data of ['1', '2', '3']) await topic.publishMessage({ ...text(data), attributes: { data } });
  await topic.publishMessage({ ...text('skipped'), attributes: { skip: '1' } });
  const { ackIds, texts, received } = await client.pull(subscription);
  expect(texts).toEqual(['1', '2', '3']);
  await client.acknowledge(subscription, [ackIds[1]!]);
  await gone.subscription.delete();
  await gone.topic.delete();

  client = await start();
  const same = client.pubsub.subscription(subscription.name);
  expect((await same.getMetadata())[0]).toMatchObject({ labels: { a: 'b' }, filter: 'NOT attributes:skip' });
  expect(await client.pubsub.topic(gone.topic.name).exists()).toEqual([false]);
  const again = await client.pull(same);
  expect(again.texts).toEqual(['1', '3']);
  // The same messages, not the same deliveries.
  expect(again.received[0]!.message).toEqual(received[0]!.message);
  await client.acknowledge(same, ackIds);
  expect(server!.backlog(same.name)).toBe(2);
  const next = await client.pubsub.topic(topic.name).publishMessage(text('4'));
  expect(Number(next)).toBeGreaterThan(Number(received[2]!.message!.messageId));
});

test('attempts, order, retained messages, snapshots and schemas outlive a restart', async () => {
  let client = await start();
  const dead = await client.topicAndSubscription();
  const { topic, subscription } = await client.topicAndSubscription({
    enableMessageOrdering: true,
    retainAckedMessages: true,
    deadLetterPolicy: { deadLetterTopic: dead.topic.name, maxDeliveryAttempts: 5 },
  });
  topic.setPublishOptions({ messageOrdering: true });
  const send = (data: string) => topic.publishMessage({ ...text(data), orderingKey: 'k' });
  await send('acknowledged');
  expect(await client.drain(subscription, 1)).toEqual(['acknowledged']);
  for (const data of ['1', '2']) await send(data);
  await client.setDeadline(subscription, (await client.pull(subscription)).ackIds.slice(0, 1), 0);
  const schema = { type: 'AVRO' as const, definition: '"string"' };
  await client.schemas.createSchema({ parent: 'projects/conformance', schemaId: 'kept', schema });
  const name = 'projects/conformance/schemas/kept';
  await client.schemas.commitSchema({ name, schema: { ...schema, name, definition: '"long"' } });
  await subscription.createSnapshot('kept');
  const [revisions] = await client.schemas.listSchemaRevisions({ name });

  client = await start();
  const same = client.pubsub.subscription(subscription.name);
  const { received, ackIds, texts } = await client.pull(same);
  expect(texts).toEqual(['1', '2']);
  expect(received[0]!.deliveryAttempt).toBe(2);
  expect((await client.schemas.listSchemaRevisions({ name }))[0]).toEqual(revisions);
  await client.acknowledge(same, ackIds);
  await client.pubsub.topic(topic.name).publishMessage(text('3'));

  client = await start();
  const later = client.pubsub.subscription(subscription.name);
  expect(await client.drain(later, 1)).toEqual(['3']);
  await later.seek('kept');
  expect(await client.drain(later, 3)).toEqual(['1', '2', '3']);
  await later.seek(new Date(0));
  expect(await client.drain(later, 4)).toEqual(['1', '2', '3', 'acknowledged']);
});

test('a seek is not undone by a restart', async () => {
  let client = await start();
  const { topic, subscription } = await client.topicAndSubscription();
  await topic.publishMessage(text('dropped'));
  await subscription.seek(new Date(Date.now() + 60_000));
  await topic.publishMessage(text('kept'));
  client = await start();
  expect(await client.drain(client.pubsub.subscription(subscription.name), 1)).toEqual(['kept']);
  expect(server!.backlog(subscription.name)).toBe(0);
});

test('a line that a kill has cut off is left out, and what follows is kept', async () => {
  let client = await start();
  const { topic, subscription } = await client.topicAndSubscription();
  await topic.publishMessage(text('1'));
  await stop();
  appendFileSync(journal(), '{"sent":[{"message":{"messageId":"99"');
  client = await start();
  await client.pubsub.topic(topic.name).publishMessage(text('2'));
  client = await start();
  expect(await client.drain(client.pubsub.subscription(subscription.name), 2)).toEqual(['1', '2']);
});

test('a restart leaves of settled messages only the greatest id', async () => {
  let client = await start();
  const { topic, subscription } = await client.topicAndSubscription();
  const last = await topic.publishMessage(text('a text of its own'));
  await client.drain(subscription, 1);
  client = await start();
  expect(readFileSync(journal(), 'utf8')).not.toContain(Buffer.from('a text of its own').toString('base64'));
  expect(Number(await client.pubsub.topic(topic.name).publishMessage(text('2')))).toBeGreaterThan(Number(last));
});

/** A server in a process of its own. */
async function startProcess(): Promise<{ child: ChildProcess; endpoint: string }> {
  const file = path.resolve(import.meta.dirname, '../../local/pubsub/server.ts');
  const code = `const { startPubsub } = await import(${JSON.stringify(file)});
    console.log((await startPubsub({ stateDirectory: ${JSON.stringify(stateDirectory)} })).endpoint);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const endpoint = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()));
    child.once('exit', (status) => reject(new Error(`the server ended with ${status}`)));
  });
  return { child, endpoint };
}

test('kill -9 while messages are published and acknowledged: no answered publish is lost, no answered acknowledgement forgotten', async () => {
  const { child, endpoint } = await startProcess();
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const victim = new PubsubUser(endpoint);
  const { topic, subscription } = await victim.topicAndSubscription();
  const [published, acknowledged] = [new Set<string>(), new Set<string>()];
  // The client must not wait for a server that is gone.
  const once = { timeout: 5_000, retry: null };
  const swallow = (): void => undefined;
  const publishing = Array.from({ length: 2_000 }, (_, i) =>
    victim.publisher
      .publish({ topic: topic.name, messages: [text(String(i))] }, once)
      .then(([{ messageIds }]) => published.add(messageIds?.[0] ?? ''), swallow),
  );
  const acknowledging = (async () => {
    for (;;) {
      const [{ receivedMessages }] = await victim.subscriber.pull(
        { subscription: subscription.name, maxMessages: 20 },
        once,
      );
      const ackIds = receivedMessages?.map(({ ackId }) => ackId ?? '') ?? [];
      if (ackIds.length) await victim.subscriber.acknowledge({ subscription: subscription.name, ackIds }, once);
      for (const { message } of receivedMessages ?? []) acknowledged.add(message?.messageId ?? '');
    }
  })().catch(swallow);
  await until(() => published.size > 300 && acknowledged.size > 50);
  child.kill('SIGKILL');
  await ended;
  await Promise.all([...publishing, acknowledging]);
  await victim.close();

  const client = await start();
  const left = new Set<string>();
  const same = client.pubsub.subscription(subscription.name);
  while (server!.backlog(same.name)) {
    const { received, ackIds } = await client.pull(same);
    for (const { message } of received) left.add(message?.messageId ?? '');
    await client.acknowledge(same, ackIds);
  }
  const lost = [...published].filter((id) => !left.has(id) && !acknowledged.has(id));
  expect(lost).toEqual([]);
  expect([...acknowledged].filter((id) => left.has(id))).toEqual([]);
});
