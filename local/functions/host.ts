import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import { closeServer } from '../metadata/server.ts';

/** A function that listens. */
export interface HostedFunction {
  url: string;
  stop(): Promise<void>;
}

/**
 * Serves a function that this process has registered, behind the check that Cloud Run makes: a request needs an ID token
 * whose audience is the function's URL.
 *
 * @param port 0: a free one
 */
export async function hostFunction(
  name: string,
  verify: (token: string, audience: string) => boolean,
  port = 0,
): Promise<HostedFunction> {
  const framework: Server = getTestServer(name);
  let url = '';
  const server = createServer((request, response) => {
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (!token || !verify(token, url)) {
      response.writeHead(403).end('The request was not authenticated.');
      return;
    }
    framework.emit('request', request, response);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, stop: () => closeServer(server) };
}
