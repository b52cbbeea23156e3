import { Agent, request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { patiently } from './patience.ts';

/** The emulator's answer to a request. */
export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** Headers that belong to one connection and not to the message (RFC 9110, 7.6.1), or to how its body was sent. */
const PER_CONNECTION = ['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'content-encoding'];

/** The body of a request, unpacked. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const body = await collect(request);
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
}

async function collect(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Sends requests on to the emulator. */
export class Forwarder {
  readonly #url: URL;
  // A connection each: the emulator closes one after an error of its own, and the next request would be reset.
  readonly #agent = new Agent({ keepAlive: false });

  constructor(url: string) {
    this.#url = new URL(url);
  }

  /** Sends a request on, with another body if need be; resolves with the whole answer. */
  send(request: IncomingMessage, body: Buffer): Promise<Answer> {
    return patiently(() => this.#sendOnce(request, body));
  }

  #sendOnce(request: IncomingMessage, body: Buffer): Promise<Answer> {
    const { hostname, port } = this.#url;
    // The answer is read here, so it must not come packed.
    const { 'accept-encoding': _, ...headers } = withoutConnection(request.headers);
    const options = { hostname, port, method: request.method, path: request.url, agent: this.#agent };
    return new Promise((resolve, reject) => {
      const onward = httpRequest(
        { ...options, headers: { ...headers, host: `${hostname}:${port}`, 'content-length': String(body.length) } },
        (answer) => {
          collect(answer).then(
            (received) => resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: received }),
            reject,
          );
        },
      );
      onward.once('error', reject);
      onward.end(body);
    });
  }
}

/** Answers the client as the emulator answered. */
export function reply(response: ServerResponse, { status, headers, body }: Answer): void {
  const bodyless = status === 204 || status === 304;
  const length = bodyless ? {} : { 'content-length': String(body.length) };
  response.writeHead(status, { ...withoutConnection(headers), ...length }).end(bodyless ? undefined : body);
}

/** Answers with JSON. */
export function replyJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function withoutConnection(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !PER_CONNECTION.includes(name)));
}
