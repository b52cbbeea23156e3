import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PubSub } from '@google-cloud/pubsub';
import { Storage } from '@google-cloud/storage';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startEventarc } from '../../local/eventarc/start.ts';
import type { Eventarc } from '../../local/eventarc/start.ts';
import { closeServer, startMetadata } from '../../local/metadata/server.ts';
import type { MetadataServer } from '../../local/metadata/server.ts';
import { startPubsub } from '../../local/pubsub/server.ts';
import type { PubsubServer } from '../../local/pubsub/server.ts';
import { startStorage } from '../../local/storage/start.ts';

interface Call {
  headers: IncomingHttpHeaders;
  body: string;
}

let server: PubsubServer;
let metadata: MetadataServer;
let pubsub: PubSub;
let eventarc: Eventarc;
let functionUrl: string;
let http: ReturnType<typeof createServer>;
let calls: Call[] = [];
let answer: (call: Call) => number | Promise<number>;

beforeAll(async () => {
  server = await startPubsub();
  metadata = await startMetadata({ projectId: 'cupel-test' });
  Object.assign(process.env, {
    PUBSUB_EMULATOR_HOST: server.endpoint,
    GCE_METADATA_HOST: metadata.host,
    METADATA_SERVER_DETECTION: 'assume-present',
  });
  pubsub = new PubSub({ projectId: 'cupel-test' });
  await pubsub.createTopic('finalized');
});
afterAll(async () => {
  await pubsub.close();
  await server.stop();
  await metadata.stop();
});

function start(): Promise<Eventarc> {
  const subscription = 'to-function';
  const backlog = (): number => server.backlog(`projects/cupel-test/subscriptions/${subscription}`);
  return startEventarc({
    pubsub,
    topic: 'finalized',
    subscription,
    functionUrl,
    identityToken: metadata.identityToken,
    backlog,
  });
}

beforeEach(async () => {
  calls = [];
  http = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const call = { headers: request.headers, body };
      calls.push(call);
      void Promise.resolve(answer(call)).then((status) => response.writeHead(status).end());
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  functionUrl = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  eventarc = await start();
});
afterEach(async () => {
  await eventarc.stop();
  await pubsub.subscription('to-function').delete();
  await closeServer(http);
});

/** What fake-gcs-server, and Cloud Storage, publish for one object. */
function notify(name: string, eventType = 'OBJECT_FINALIZE'): Promise<string> {
  const attributes = {
    eventType,
    bucketId: 'bronze',
    objectId: name,
    objectGeneration: '7',
    payloadFormat: 'JSON_API_V1',
  };
  return pubsub
    .topic('finalized')
    .publishMessage({ attributes, json: { kind: 'storage#object', bucket: 'bronze', name, generation: '7' } });
}

test('a finalize notification becomes a CloudEvent with a token for the function', async () => {
  answer = () => 204;
  const id = await notify('usgs/größe 1%.geojson');
  await eventarc.idle();
  expect(calls).toHaveLength(1);
  const { headers, body } = calls[0]!;
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    'ce-id': id,
    'ce-specversion': '1.0',
    'ce-type': 'google.cloud.storage.object.v1.finalized',
    'ce-source': '//storage.googleapis.com/projects/_/buckets/bronze',
    'ce-subject': 'objects/usgs/gr%C3%B6%C3%9Fe%201%25.geojson',
  });
  expect(Date.parse(String(headers['ce-time']))).toBeGreaterThan(Date.now() - 60_000);
  expect(metadata.verify(headers.authorization!.replace('Bearer ', ''), functionUrl)).toBe(true);
  expect(JSON.parse(body)).toMatchObject({ bucket: 'bronze', name: 'usgs/größe 1%.geojson', generation: '7' });
});

test('a function that fails gets the same event again, until it answers 2xx', async () => {
  const statuses = [500, 503];
  answer = () => statuses.shift() ?? 200;
  await notify('a');
  await eventarc.idle();
  expect(calls).toHaveLength(3);
  expect(new Set(calls.map(({ headers }) => headers['ce-id'])).size).toBe(1);
});

test('other events are not delivered', async () => {
  answer = () => 200;
  await notify('gone', 'OBJECT_DELETE');
  await notify('there');
  await eventarc.idle();
  expect(calls.map(({ headers }) => headers['ce-subject'])).toEqual(['objects/there']);
});

test('many events: at most eight at once, idle after the last', async () => {
  let now = 0;
  let most = 0;
  const waiting: (() => void)[] = [];
  answer = async () => {
    now += 1;
    most = Math.max(most, now);
    // Each answer waits for a full house, or for the last of the events.
    if (now < 8 && calls.length < 40) await new Promise<void>((resolve) => waiting.push(resolve));
    else {
      // A ninth that was let through would come before the answers to these calls.
      for (let i = 0; i < 3; i += 1) await pubsub.getTopics();
      for (const resolve of waiting.splice(0)) resolve();
    }
    now -= 1;
    return 200;
  };
  await Promise.all(Array.from({ length: 40 }, (_, i) => notify(`n${i}`)));
  await eventarc.idle();
  expect(calls).toHaveLength(40);
  expect(most).toBe(8);
});

test('stop ends a delivery that hangs; a later start on the same subscription delivers what was left', async () => {
  let arrived = (): void => undefined;
  const hanging = new Promise<void>((resolve) => (arrived = resolve));
  answer = () => {
    arrived();
    return new Promise<number>(() => undefined);
  };
  await notify('slow');
  await hanging;
  await eventarc.stop();
  await eventarc.idle();
  answer = () => 200;
  eventarc = await start();
  await eventarc.idle();
  expect(calls).toHaveLength(2);
});

test('an object written to Cloud Storage reaches the function', async () => {
  answer = () => 200;
  const stateDirectory = await mkdtemp(path.join(tmpdir(), 'cupel-test-'));
  const logDirectory = path.join(stateDirectory, 'logs');
  const storageServer = await startStorage({ stateDirectory, logDirectory, pubsubEndpoint: server.endpoint });
  const storage = new Storage({ projectId: 'cupel-test', apiEndpoint: storageServer.url });
  const [bucket] = await storage.createBucket('cupel-bronze');
  await bucket.createNotification('projects/cupel-test/topics/finalized', { eventTypes: ['OBJECT_FINALIZE'] });
  const file = bucket.file('usgs/all_hour/a.geojson');
  await file.save('{}', { resumable: false });
  await expect.poll(() => calls.length, { timeout: 20_000, interval: 10 }).toBe(1);
  await storageServer.stop();
  await rm(stateDirectory, { recursive: true });
  const object = JSON.parse(calls[0]!.body) as Record<string, unknown>;
  expect(object).toMatchObject({ bucket: 'cupel-bronze', name: file.name });
  expect(String(object.generation)).toBe(String(file.metadata.generation));
  expect(calls[0]!.headers).toMatchObject({
    'ce-source': '//storage.googleapis.com/projects/_/buckets/cupel-bronze',
    'ce-subject': `objects/${file.name}`,
  });
});
