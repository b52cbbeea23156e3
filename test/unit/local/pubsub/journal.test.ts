import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { timestamp } from '../../../../local/grpc.ts';
import type { Message } from '../../../../local/pubsub/messages.ts';
import { BrokerState } from '../../../../local/pubsub/state/broker-state.ts';
import type { BrokerEvent } from '../../../../local/pubsub/state/broker-state.ts';
import { Journal } from '../../../../local/pubsub/state/journal.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'cupel-journal-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const TOPIC = 'projects/p/topics/topic';
const SUBSCRIPTION = 'projects/p/subscriptions/subscription';
const SNAPSHOT = 'projects/p/snapshots/snapshot';

const message = (id: number, data = Buffer.from([0, 255, id])): Message => ({
  data,
  attributes: { a: 'b' },
  messageId: String(id),
  publishTime: timestamp(),
});

const sent = (id: number): BrokerEvent => ({ sent: [{ message: message(id), to: [SUBSCRIPTION] }], topic: TOPIC });

/** All that a broker keeps, one event of each kind. */
function everything(): BrokerEvent[] {
  const schema = { name: 'projects/p/schemas/schema', type: 'AVRO' as const, definition: '"int"' };
  return [
    { schema: { ...schema, revisionId: '1' } },
    { schema: { ...schema, revisionId: '2' } },
    { topic: { name: TOPIC, messageRetentionDuration: { seconds: '600' } } },
    { subscription: { name: SUBSCRIPTION, topic: TOPIC, retainAckedMessages: true } },
    sent(1),
    sent(2),
    { settled: ['1'], of: SUBSCRIPTION },
    { attempts: { 2: 3 }, of: SUBSCRIPTION },
    { snapshot: { name: SNAPSHOT, topic: TOPIC, expireTime: timestamp(Date.now() + 60_000) }, of: SUBSCRIPTION },
    sent(3),
  ];
}

test('what is read is what was written, before and after it was written anew', () => {
  const journal = new Journal(folder);
  for (const event of everything()) journal.record(event);
  journal.close();
  // The second one reads what the first has written anew at its start.
  for (const again of [new Journal(folder), new Journal(folder)]) {
    expect(again.state).toEqual(journal.state);
    again.close();
  }
  const stored = journal.state.subscriptions.get(SUBSCRIPTION);
  expect([...stored!.pending.keys()]).toEqual(['2', '3']);
  expect([...stored!.acked.keys()]).toEqual(['1']);
  expect([...journal.state.snapshots.get(SNAPSHOT)!.messages.keys()]).toEqual(['2', '3']);
});

test('the file is written anew when much of it is of no use', () => {
  const journal = new Journal(folder);
  journal.record({ topic: { name: TOPIC } });
  journal.record({ subscription: { name: SUBSCRIPTION, topic: TOPIC } });
  const data = Buffer.alloc(8 << 20);
  for (let id = 1; id <= 12; id += 1) {
    journal.record({ sent: [{ message: message(id, data), to: [SUBSCRIPTION] }], topic: TOPIC });
    journal.record({ settled: [String(id)], of: SUBSCRIPTION });
  }
  journal.close();
  expect(statSync(path.join(folder, 'pubsub.ndjson')).size).toBeLessThan(80 << 20);
  const again = new Journal(folder);
  expect(again.state.lastId).toBe(12);
  again.close();
});

test('messages and snapshots whose time is over are dropped', () => {
  const state = new BrokerState();
  for (const event of everything()) state.apply(event);
  state.expire(Date.now() + 590_000);
  expect(state.snapshots.size).toBe(0);
  expect(state.topics.get(TOPIC)!.retained.size).toBe(3);
  state.expire(Date.now() + 610_000);
  expect(state.topics.get(TOPIC)!.retained.size).toBe(0);
  expect(state.subscriptions.get(SUBSCRIPTION)!.pending.size).toBe(2);
  state.expire(Date.now() + 8 * 86_400_000);
  expect(state.subscriptions.get(SUBSCRIPTION)).toMatchObject({ pending: new Map(), acked: new Map() });
});

test('of a deleted topic and schema, others show that they are gone', () => {
  const state = new BrokerState();
  for (const event of everything()) state.apply(event);
  const schemaSettings = { schema: 'projects/p/schemas/schema', encoding: 'JSON' as const };
  state.apply({ topic: { name: TOPIC, schemaSettings } });
  state.apply({ deletedSchema: 'projects/p/schemas/schema', revisionId: '1' });
  expect(state.topics.get(TOPIC)!.topic.schemaSettings!.schema).toBe('projects/p/schemas/schema');
  state.apply({ deletedSchema: 'projects/p/schemas/schema' });
  expect(state.topics.get(TOPIC)!.topic.schemaSettings!.schema).toBe('_deleted-schema_');
  state.apply({ deletedTopic: TOPIC });
  expect(state.subscriptions.get(SUBSCRIPTION)!.spec.topic).toBe('_deleted-topic_');
});

test('lines that lie across two reads are read whole', () => {
  const journal = new Journal(folder);
  for (const event of everything()) journal.record(event);
  const sizes = [3, 3, 5, 17, 0].map((megabytes) => (megabytes << 20) + 1);
  for (const [at, size] of sizes.entries())
    journal.record({ sent: [{ message: message(10 + at, Buffer.alloc(size, at)), to: [SUBSCRIPTION] }], topic: TOPIC });
  journal.close();
  const again = new Journal(folder);
  expect(again.state).toEqual(journal.state);
  again.close();
});
