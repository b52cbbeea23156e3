import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closeServer } from '../../local/metadata/server.ts';

/** A door before an HTTP API. */
export interface Gate {
  url: string;
  /** From now on requests are answered with this status, and not passed on; undefined opens it again. */
  refuse(status: number | undefined): void;
  /** Requests that were refused so far. */
  refused(): number;
  stop(): Promise<void>;
}

/** Starts a gate before the API at a URL. */
export async function startGate(target: string): Promise<Gate> {
  let refusal: number | undefined;
  let refused = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    // Where nobody is behind the gate, it is as closed as they are.
    request.on('end', () => void pass().catch(() => response.destroy()));
    async function pass(): Promise<void> {
      if (refusal !== undefined) {
        refused += 1;
        const error = { code: refusal, message: 'refused', errors: [{ reason: 'forbidden', message: 'refused' }] };
        response.writeHead(refusal, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
        return;
      }
      const { host: _host, connection: _connection, ...headers } = request.headers as Record<string, string>;
      const body = chunks.length ? { body: Buffer.concat(chunks) } : {};
      const answer = await fetch(target + request.url, { method: request.method ?? 'GET', headers, ...body });
      const type = answer.headers.get('content-type') ?? 'application/json';
      response.writeHead(answer.status, { 'content-type': type }).end(Buffer.from(await answer.arrayBuffer()));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    refuse: (status) => (refusal = status),
    refused: () => refused,
    stop: () => closeServer(server),
  };
}
