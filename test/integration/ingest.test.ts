import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { Storage } from '@google-cloud/storage';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { deliver, githubHeaders, simulateDeliveries } from '../../local/github/deliveries.ts';
import type { GithubDelivery } from '../../local/github/deliveries.ts';
import { startStorage } from '../../local/storage/start.ts';
import { verifyObject } from '../../src/ingest/verify-object.ts';
import { ingestHandler } from '../../src/ingest/webhook/index.ts';
import type { IngestResources, Received } from '../../src/ingest/webhook/index.ts';
import { sweepOutbox } from '../../src/lakehouse/upkeep/outbox.ts';
import { listBronze } from '../../src/lakehouse/bronze/index.ts';
import { ObjectStore } from '../../src/lakehouse/object-store.ts';
import { contractOf } from '../support/contracts.ts';
import { realDeliveries } from '../support/real-deliveries.ts';

const SECRET = 'a secret';
const contract = contractOf('github_events');
let directory: string;

let store: ObjectStore;
let url: string;
let published: string[] = [];
let unpublished: unknown[] = [];
let publishing: () => Promise<void>;
/** What the storage client does instead of writing. */
let storageFails = false;
const stops: (() => Promise<unknown>)[] = [];

const publisher: IngestResources['publisher'] = {
  async publish(_contract, _object, { records }) {
    await publishing();
    published.push(...records.map(({ recordId }) => recordId ?? ''));
    return records.length;
  },
};

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'cupel-ingest-'));
  const server = await startStorage({ stateDirectory: directory, logDirectory: directory });
  const storage = new Storage({ projectId: 'cupel-test', apiEndpoint: server.url });
  for (const name of ['bronze', 'ops']) await storage.createBucket(name);
  store = new ObjectStore(storage);
  const failing = new Proxy(store, {
    get(target, name: keyof ObjectStore) {
      if (storageFails && name === 'create')
        return () => Promise.reject(Object.assign(new Error('down'), { code: 503 }));
      const member = target[name] as unknown;
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
  const resources: IngestResources = {
    store: failing,
    bronzeBucket: 'bronze',
    opsBucket: 'ops',
    publisher,
    contractOf: (source) => Promise.resolve(source === contract.source ? contract : undefined),
    env: { CUPEL_WEBHOOK_SECRETS_GITHUB_EVENTS: `new\n${SECRET}` },
    unpublished: (reason) => void unpublished.push(reason),
  };
  const handle = ingestHandler(() => Promise.resolve(resources));
  const http = createServer((request, response) => void handle(request, response)).listen(0, '127.0.0.1');
  await once(http, 'listening');
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  stops.push(
    () => new Promise((resolve) => http.close(resolve)),
    () => server.stop(),
  );
});
afterAll(async () => {
  for (const stop of stops) await stop();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(async () => {
  published = [];
  unpublished = [];
  publishing = () => Promise.resolve();
  storageFails = false;
  for (const bucket of ['bronze', 'ops'])
    for await (const { uri } of store.list(`gs://${bucket}/`)) await store.delete(uri);
});

const RANGE = { from: new Date(Date.now() - 7_200_000), to: new Date(Date.now() + 7_200_000) };
const landed = () => listBronze(store, 'bronze', contract, RANGE);

async function send(delivery: GithubDelivery, headers: Record<string, string> = {}) {
  const signed = { ...githubHeaders(delivery, SECRET), ...headers };
  const response = await fetch(`${url}/github_events`, {
    method: 'POST',
    headers: signed,
    body: new Uint8Array(delivery.body),
  });
  return { status: response.status, body: (await response.json()) as Received & { code?: string; message?: string } };
}

const [first, second] = simulateDeliveries(2) as [GithubDelivery, GithubDelivery];

test('a delivery lands as one envelope that verification accepts, and its record is published', async () => {
  expect(await send(first)).toMatchObject({ status: 200, body: { duplicate: false, published: true } });
  const [object] = await landed();
  expect(await verifyObject(store, 'bronze', object?.name ?? '', contract)).toMatchObject({ ok: true, records: 1 });
  const envelope = JSON.parse((await store.read(`gs://bronze/${object?.name ?? ''}`)).toString()) as Record<
    string,
    unknown
  >;
  expect(Buffer.from(String(envelope.body_base64), 'base64')).toEqual(first.body);
  expect(JSON.stringify(envelope)).not.toMatch(/signature/i);
  expect(published).toHaveLength(1);
});

test('the same delivery once more is a duplicate; another body under its id is a conflict', async () => {
  const { body } = await send(first);
  expect(await send(first)).toMatchObject({ status: 200, body: { duplicate: true, object: body.object } });
  const other = { ...first, body: second.body };
  expect(await send(other)).toMatchObject({ status: 409, body: { code: 'CUP_DELIVERY_CONFLICT' } });
  expect(await landed()).toHaveLength(1);
  expect(published).toHaveLength(1);
});

test('thirty at once are one object and one record', async () => {
  const answers = await Promise.all(Array.from({ length: 30 }, () => send(first)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(answers.filter(({ body }) => !body.duplicate)).toHaveLength(1);
  expect(await landed()).toHaveLength(1);
  expect(published.length).toBe(1);
});

test('while storage is down nothing is taken, and the same delivery is welcome later', async () => {
  storageFails = true;
  expect(await send(first)).toMatchObject({ status: 503, body: { code: 'CUP_DELIVERY_NOT_LANDED' } });
  expect(published).toEqual([]);
  storageFails = false;
  expect(await send(first)).toMatchObject({ status: 200, body: { duplicate: false, published: true } });
});

test('while Pub/Sub is down deliveries are taken, and the outbox sweep sends what is left', async () => {
  publishing = () => Promise.reject(new Error('down'));
  expect(await send(first)).toMatchObject({ status: 200, body: { published: false } });
  expect(unpublished).toEqual([{ source: 'github_events', code: 'none' }]);
  publishing = () => Promise.resolve();
  const sweep = { store, bronzeBucket: 'bronze', opsBucket: 'ops', publisher, progress: () => undefined };
  const objects = await landed();
  expect(await sweepOutbox(sweep, contract, RANGE, objects)).toBe(1);
  expect(published).toHaveLength(1);
  expect(await sweepOutbox(sweep, contract, RANGE, objects)).toBe(0);
});

test('a crash between landing and marker leaves an object that the same delivery finds again', async () => {
  await send(first);
  for await (const { uri } of store.list('gs://ops/_deliveries/')) await store.delete(uri);
  expect(await send(first)).toMatchObject({ status: 200, body: { duplicate: false, published: true } });
  expect(await landed()).toHaveLength(1);
  expect(new Set(published).size).toBe(1);
});

test.each([
  ['a wrong signature', { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` }, 401, 'CUP_DELIVERY_UNSIGNED'],
  ['another type of content', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'CUP_DELIVERY_MEDIA_TYPE'],
  ['an unknown encoding', { 'content-encoding': 'compress' }, 415, 'CUP_DELIVERY_MEDIA_TYPE'],
  ['an id that is none', { 'x-github-delivery': '' }, 422, 'CUP_DELIVERY_INVALID'],
])('%s is refused with its status and code', async (_name, headers, status, code) => {
  expect(await send(first, headers)).toMatchObject({ status, body: { code } });
  expect(await landed()).toEqual([]);
});

test.each([
  ['no JSON', Buffer.from('{"a":'), 422, 'CUP_DELIVERY_INVALID'],
  ['prototype poisoning', Buffer.from('{"__proto__":{"admin":true}}'), 422, 'CUP_DELIVERY_INVALID'],
  ['too many bytes', Buffer.alloc(5_000_001, ' '), 413, 'CUP_DELIVERY_TOO_LARGE'],
])('a body with %s is refused', async (_name, body, status, code) => {
  expect(await send({ ...first, body })).toMatchObject({ status, body: { code } });
  expect(await landed()).toEqual([]);
});

test('a small body that unpacks into a large one is refused; one within the limit is taken', async () => {
  const encoded = (body: Buffer) => send({ ...first, body: gzipSync(body) }, { 'content-encoding': 'gzip' });
  expect(await encoded(Buffer.alloc(50_000_000, ' '))).toMatchObject({ status: 413 });
  expect(await encoded(first.body)).toMatchObject({ status: 200 });
});

test.each(['/', '/nobody', '/github_events/../ops', '/__proto__'])('%s is no source', async (at) => {
  const response = await fetch(`${url}${at}`, {
    method: 'POST',
    headers: githubHeaders(first, SECRET),
    body: new Uint8Array(first.body),
  });
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ code: 'CUP_SOURCE_UNKNOWN' });
});

test('every recorded payload of GitHub is taken', async () => {
  const deliveries = realDeliveries();
  for (const delivery of deliveries) {
    const answer = await deliver(url, delivery, SECRET);
    expect(answer.status).toBe(200);
  }
  expect(await landed()).toHaveLength(deliveries.length);
});
