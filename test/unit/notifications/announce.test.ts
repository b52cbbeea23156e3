import { createServer } from 'node:http';
import type { IncomingHttpHeaders, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { notificationActivities } from '../../../src/activities/notifications.ts';
import type { ActivityResources } from '../../../src/activities/index.ts';
import { readEnvironment } from '../../../src/gcp/env.ts';
import type { LedgerEvent } from '../../../src/lakehouse/ledger/index.ts';
import { webhookHeaders } from '../../../src/notifications/index.ts';
import type { Health } from '../../../src/notifications/index.ts';

const QUIET = { logger: new DefaultLogger('ERROR') };
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

let receiver: Server;
let statuses: number[];
let posted: { headers: IncomingHttpHeaders; body: string }[];
let published: { body: string; attributes: Record<string, string> }[];
let events: LedgerEvent[];

beforeEach(async () => {
  statuses = [];
  posted = [];
  published = [];
  events = [];
  receiver = createServer((request, response) => {
    void text(request).then((body) => {
      posted.push({ headers: request.headers, body });
      response.writeHead(statuses.shift() ?? 204).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  receiver.closeAllConnections();
  receiver.close();
});

function activities(env: Record<string, string> = {}) {
  const resources = {
    environment: readEnvironment({ CUPEL_PROJECT: 'p', ...env }),
    now: () => 1_746_403_200_000,
    ledger: {
      latest: (source: string) => {
        const of = events.filter((event) => event.source === source);
        return Promise.resolve([...new Map(of.map((event) => [event.subject, event])).values()]);
      },
      append: (added: LedgerEvent[]) => Promise.resolve(void events.push(...added)),
    },
    pubsub: () =>
      Promise.resolve({
        topic: () => ({
          publishMessage({ data, attributes }: { data: Buffer; attributes: Record<string, string> }) {
            published.push({ body: data.toString(), attributes });
            return Promise.resolve('1');
          },
        }),
      }),
  };
  return notificationActivities(resources as unknown as ActivityResources);
}

const webhook = () => ({
  CUPEL_WEBHOOK_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook?token=hidden`,
  CUPEL_WEBHOOK_SECRET: SECRET,
});

const health = (state: Health['state']): Health => ({
  subject: 'gold',
  source: 'gold',
  state,
  reason: 'because',
  workflowId: 'gold/2025-05-04',
});

const tell = (of: ReturnType<typeof activities>, state: Health['state'], heartbeatDetails?: unknown) =>
  new MockActivityEnvironment({ heartbeatDetails }, QUIET).run(of.announce, health(state));

test('a failure is told once, and so is the recovery; the ledger remembers', async () => {
  const of = activities();
  for (const state of ['healthy', 'failed', 'failed', 'healthy', 'healthy', 'failed'] as const) await tell(of, state);
  expect(published.map(({ attributes }) => attributes.type)).toEqual([
    'health.failed',
    'health.recovered',
    'health.failed',
  ]);
  expect(new Set(published.map(({ attributes }) => attributes.id)).size).toBe(3);
  expect(events.map(({ kind, state, fingerprint }) => [kind, state, fingerprint])).toEqual(
    published.map(({ attributes }) => ['health', attributes.state, attributes.id]),
  );
  expect(posted).toEqual([]);
});

test('the webhook gets the same text, signed', async () => {
  await tell(activities(webhook()), 'failed');
  const [{ headers, body } = { headers: {}, body: '' }] = posted;
  expect(body).toBe(published[0]?.body);
  const id = published[0]?.attributes.id ?? '';
  expect(headers).toMatchObject(webhookHeaders(SECRET, { id, timestamp: 1_746_403_200, body }));
});

test('a webhook that does not answer is told again under the same id; the topic is not, and the ledger waits', async () => {
  statuses = [503, 200];
  const of = activities(webhook());
  await expect(tell(of, 'failed')).rejects.toMatchObject({ code: 'CUP_WEBHOOK_UNAVAILABLE' });
  expect(events).toEqual([]);
  await tell(of, 'failed', { published: published[0]?.attributes.id });
  expect(published).toHaveLength(1);
  expect(posted[0]?.headers['webhook-id']).toBe(posted[1]?.headers['webhook-id']);
  expect(events).toHaveLength(1);
});

test('errors name neither the secret nor the address, and a redirect is not followed', async () => {
  statuses = [401, 307];
  const of = activities(webhook());
  for (const code of ['CUP_WEBHOOK_REFUSED', 'CUP_WEBHOOK_UNAVAILABLE']) {
    const error = (await tell(of, 'failed').catch((thrown: unknown) => thrown)) as Error & { code: string };
    expect(error.code).toBe(code);
    expect(`${error.message}${JSON.stringify(error)}`).not.toMatch(/whsec_|MfKQ|hidden/);
  }
});

test('a receiver that is gone may come back', async () => {
  const of = activities(webhook());
  await new Promise((resolve) => receiver.close(resolve));
  await expect(tell(of, 'failed')).rejects.toMatchObject({ code: 'CUP_WEBHOOK_UNAVAILABLE', retryable: true });
});

test('an address without a secret is refused, without naming it', () => {
  expect(() => readEnvironment({ CUPEL_PROJECT: 'p', CUPEL_WEBHOOK_URL: 'https://example.org/hidden' })).toThrow(
    /CUPEL_WEBHOOK_SECRET/,
  );
});
