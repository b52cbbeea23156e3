import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { isPrivateAddress } from '../../../src/ingest/addresses.ts';
import type { CupelError } from '../../../src/errors.ts';
import { fetchFeed } from '../../../src/ingest/fetch-feed.ts';
import type { FetchOptions } from '../../../src/ingest/fetch-feed.ts';

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A site on the loopback interface that stands for feed.example. */
async function site(answer: RequestListener): Promise<FetchOptions> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { hosts: ['feed.example'], endpoints: { 'feed.example': endpoint }, allowPrivateAddresses: true };
}

const URL_OF_FEED = 'https://feed.example/all.geojson';

test('an answer comes as the site sent it, decompressed', async () => {
  const options = await site((request, response) => {
    expect(request.url).toBe('/all.geojson');
    response.setHeader('content-encoding', 'gzip').end(gzipSync('{"a":1}'));
  });
  expect((await fetchFeed(URL_OF_FEED, options)).bytes.toString()).toBe('{"a":1}');
});

test('a host that is not on the list is refused, also as the target of a redirect', async () => {
  await expect(fetchFeed('https://other.example/', { hosts: ['feed.example'] })).rejects.toMatchObject({
    code: 'CUP_HOST_REFUSED',
  });
  const options = await site((_, response) => response.writeHead(302, { location: 'https://other.example/x' }).end());
  await expect(fetchFeed(URL_OF_FEED, options)).rejects.toMatchObject({ code: 'CUP_HOST_REFUSED' });
});

test('a redirect within the list is followed, a circle of them is not', async () => {
  const moved = await site((request, response) => {
    if (request.url === '/new') response.end('moved');
    else response.writeHead(301, { location: '/new' }).end();
  });
  expect((await fetchFeed(URL_OF_FEED, moved)).bytes.toString()).toBe('moved');
  const circle = await site((_, response) => response.writeHead(307, { location: URL_OF_FEED }).end());
  await expect(fetchFeed(URL_OF_FEED, circle)).rejects.toMatchObject({ code: 'CUP_FETCH_FAILED' });
});

test('private addresses are refused, as a literal and by name', async () => {
  const literal = fetchFeed('http://127.0.0.1:8099/', { hosts: ['127.0.0.1'] });
  await expect(literal).rejects.toMatchObject({ code: 'CUP_HOST_REFUSED' });
  const byName = fetchFeed('http://localhost:8099/', { hosts: ['localhost'] });
  await expect(byName).rejects.toMatchObject({ code: 'CUP_HOST_REFUSED' });
});

test.each([
  '10.1.2.3',
  '127.0.0.1',
  '169.254.169.254',
  '172.20.0.1',
  '192.168.1.1',
  '::1',
  'fd00::1',
  'fe80::1',
  '::ffff:10.0.0.1',
])('%s is private', (address) => expect(isPrivateAddress(address)).toBe(true));

test.each(['8.8.8.8', '172.32.0.1', '2001:4860:4860::8888'])('%s is public', (address) =>
  expect(isPrivateAddress(address)).toBe(false),
);

test('an answer that is too large after decompression is refused', async () => {
  const options = await site((_, response) =>
    response.setHeader('content-encoding', 'gzip').end(gzipSync(Buffer.alloc(1 << 20))),
  );
  await expect(fetchFeed(URL_OF_FEED, { ...options, maxBytes: 1_000 })).rejects.toMatchObject({
    code: 'CUP_ANSWER_TOO_LARGE',
    retryable: false,
  });
});

test('a site that does not answer in time may answer later', async () => {
  const options = await site(() => undefined);
  await expect(fetchFeed(URL_OF_FEED, { ...options, timeoutMs: 50 })).rejects.toMatchObject({
    code: 'CUP_FETCH_FAILED',
    retryable: true,
  });
});

test.each([
  [404, true],
  [429, true],
  [503, true],
  [400, false],
  [403, false],
])('status %i: trying again is of use: %s', async (status, retryable) => {
  const options = await site((_, response) => response.writeHead(status).end());
  await expect(fetchFeed(URL_OF_FEED, options)).rejects.toMatchObject({ retryable });
});

test('a refusal tells how long the site asks to be left alone, in seconds or until a time of its own clock', async () => {
  const date = 'Wed, 01 Jan 2025 00:00:00 GMT';
  const refused = async (retryAfter: string) => {
    const options = await site((_, response) => response.writeHead(503, { date, 'retry-after': retryAfter }).end());
    const error: unknown = await fetchFeed(URL_OF_FEED, options).catch((thrown: unknown) => thrown);
    return (error as CupelError).details.retryAfterSeconds;
  };
  expect(await refused('7')).toBe(7);
  expect(await refused('Wed, 01 Jan 2025 00:01:30 GMT')).toBe(90);
  expect(await refused('soon')).toBeUndefined();
});

test('no content is refused, unless it is an answer', async () => {
  const options = await site((_, response) => response.writeHead(204).end());
  await expect(fetchFeed(URL_OF_FEED, options)).rejects.toMatchObject({ code: 'CUP_FETCH_REFUSED' });
  expect(await fetchFeed(URL_OF_FEED, { ...options, allowNoContent: true })).toMatchObject({ status: 204 });
});
