import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CompiledContract, WebhookFeed } from '../../contracts/index.ts';
import { CupelError, cupelError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { checkSize, maxBytesOf } from './body.ts';
import { receiveDelivery } from './receive.ts';
import type { ReceiveResources } from './receive.ts';
import { secretsOf } from './signature.ts';

/** What the handler works with. */
export interface IngestResources extends ReceiveResources {
  /** The newest published contract of a source; undefined where there is none. */
  contractOf(source: string): Promise<CompiledContract | undefined>;
  /** Where secrets are, by the names that contracts give. */
  env: Record<string, string | undefined>;
}

/** A request; a framework that has read the body already leaves it there. */
type Request = IncomingMessage & { rawBody?: Buffer };

const STATUS: Partial<Record<ErrorCode, number>> = {
  CUP_DELIVERY_UNSIGNED: 401,
  CUP_SOURCE_UNKNOWN: 404,
  CUP_DELIVERY_CONFLICT: 409,
  CUP_DELIVERY_TOO_LARGE: 413,
  CUP_DELIVERY_MEDIA_TYPE: 415,
  CUP_DELIVERY_INVALID: 422,
};

const RETRY_AFTER_SECONDS = 10;

/** The path is a name of a contract and nothing else. */
function sourceOf(url: string | undefined): string {
  const [, source] = /^\/([a-z0-9][a-z0-9_.]{0,99})\/?$/.exec((url ?? '').split('?', 1)[0] ?? '') ?? [];
  if (!source) throw cupelError('CUP_SOURCE_UNKNOWN', { expected: 'POST /<source>' });
  return source;
}

async function feedOf(resources: IngestResources, source: string): Promise<[CompiledContract, WebhookFeed]> {
  const contract = await resources.contractOf(source);
  const feed = contract?.feeds.find((candidate) => candidate.kind === 'webhook');
  if (!contract || feed?.kind !== 'webhook')
    throw cupelError('CUP_SOURCE_UNKNOWN', { expected: 'a source with a feed of kind webhook' });
  return [contract, feed];
}

/** Reads no further than what the feed takes. */
async function readBody(request: Request, feed: WebhookFeed): Promise<Buffer> {
  if (request.rawBody) return request.rawBody;
  checkSize(feed, Number(request.headers['content-length'] ?? 0));
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytesOf(feed)) break;
    chunks.push(chunk);
  }
  checkSize(feed, bytes);
  return Buffer.concat(chunks);
}

/** A framework that has read the body has taken its encoding off too. */
function headersOf(request: Request): IncomingMessage['headers'] {
  return request.rawBody ? { ...request.headers, 'content-encoding': undefined } : request.headers;
}

function answer(response: ServerResponse, status: number, body: object): void {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (status === 503) headers['retry-after'] = String(RETRY_AFTER_SECONDS);
  // What was not read of the body must not be taken for the next request.
  if (status === 413) headers.connection = 'close';
  response.writeHead(status, headers).end(JSON.stringify(body));
}

async function receive(resources: IngestResources, request: Request): Promise<object> {
  const [contract, feed] = await feedOf(resources, sourceOf(request.url));
  const secrets = secretsOf(feed, resources.env);
  const body = await readBody(request, feed);
  return receiveDelivery(resources, contract, feed, secrets, {
    headers: headersOf(request),
    body,
    receivedAtMs: Date.now(),
  });
}

/**
 * The function `ingest`: POST /<source> with a signed delivery. 2xx is answered only when its bytes are safe in Bronze; every error
 * is JSON with a code of the catalogue. 4xx: no use to send it again; 503: later.
 */
export function ingestHandler(
  resources: () => Promise<IngestResources>,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return async (request, response) => {
    try {
      if (request.method !== 'POST') throw cupelError('CUP_SOURCE_UNKNOWN', { expected: 'POST /<source>' });
      answer(response, 200, await receive(await resources(), request));
    } catch (error) {
      const coded = error instanceof CupelError ? error : cupelError('CUP_DELIVERY_NOT_LANDED', {}, error);
      answer(response, STATUS[coded.code] ?? 503, { code: coded.code, message: coded.message });
    }
  };
}
