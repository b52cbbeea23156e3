import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { closeServer } from '../metadata/server.ts';
import type { Poll } from './polls.ts';

/** A stand-in for the USGS site: the real path, and a clock for each feed. */
export interface UsgsServer {
  url: string;
  /** Sets a feed's clock to a poll: from now on this is the feed's answer. */
  show(poll: Poll): Promise<void>;
  stop(): Promise<void>;
}

interface Answer {
  body: Buffer;
  zipped: Buffer;
  etag: string;
  generated: number;
}

const PATH = /^\/earthquakes\/feed\/v1\.0\/summary\/([^/]+)\.geojson$/;

function respond(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  const zip = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  response.writeHead(200, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'public, max-age=60',
    'last-modified': new Date(answer.generated).toUTCString(),
    etag: answer.etag,
    ...(zip ? { 'content-encoding': 'gzip' } : {}),
  });
  response.end(zip ? answer.zipped : answer.body);
}

/** Starts the site on the loopback interface. A feed without a clock yet answers 404. */
export async function startUsgs(options: { port?: number } = {}): Promise<UsgsServer> {
  const answers = new Map<string, Answer>();
  const server = createServer((request, response) => {
    const feed = PATH.exec(new URL(request.url ?? '/', 'http://usgs').pathname)?.[1];
    const answer = feed === undefined ? undefined : answers.get(feed);
    if (answer) respond(request, response, answer);
    else response.writeHead(404).end('Not Found');
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async show(poll) {
      const body = await poll.read();
      const etag = `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`;
      answers.set(poll.feed, { body, zipped: gzipSync(body, { level: 1 }), etag, generated: poll.generated });
    },
    stop: () => closeServer(server),
  };
}
