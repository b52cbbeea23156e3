import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closeServer } from '../../local/metadata/server.ts';

/** What happens to the next commit. */
export type CommitFault = 'drop-answer' | 'send-twice' | 'refuse-before';

/** A proxy before a catalog that spoils commits on demand. */
export interface FaultyProxy {
  url: string;
  /** Commits that reached the catalog. */
  commits: number;
  spoilNext(fault: CommitFault): void;
  stop(): Promise<void>;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Starts a proxy in front of an Iceberg REST catalog. */
export async function startFaultyProxy(catalogUrl: string): Promise<FaultyProxy> {
  let fault: CommitFault | undefined;
  const forward = async (request: IncomingMessage, body: Buffer): Promise<{ status: number; text: string }> => {
    const answer = await fetch(`${catalogUrl}${request.url ?? ''}`, {
      method: request.method ?? 'GET',
      headers: { 'content-type': 'application/json' },
      ...(body.length ? { body: new Uint8Array(body) } : {}),
    });
    return { status: answer.status, text: await answer.text() };
  };
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request);
    const commit = request.method === 'POST' && /\/tables\/[^/]+$/.test(request.url ?? '');
    const now = commit ? fault : undefined;
    if (now) fault = undefined;
    if (now === 'refuse-before') {
      response.writeHead(500).end('{}');
      return;
    }
    if (commit) proxy.commits += 1;
    let answer = await forward(request, body);
    if (now === 'drop-answer') {
      response.destroy();
      return;
    }
    if (now === 'send-twice') answer = await forward(request, body);
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.text);
  };
  const server = createServer((request, response) => void handle(request, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: FaultyProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    commits: 0,
    spoilNext: (next) => (fault = next),
    stop: () => closeServer(server),
  };
  return proxy;
}
