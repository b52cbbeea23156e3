import { isIP } from 'node:net';
import { Agent, fetch } from 'undici';
import type { Response } from 'undici';
import { CupelError, cupelError } from '../errors.ts';
import { isPrivateAddress, publicLookup } from './addresses.ts';

/** How a feed is fetched. */
export interface FetchOptions {
  /** Hosts that may be asked, redirects included. */
  hosts: readonly string[];
  /** Host → base URL that stands for it, such as a recorded copy. Default: none. */
  endpoints?: Readonly<Record<string, string>>;
  /** Whether private addresses may be asked. Default false. */
  allowPrivateAddresses?: boolean;
  /** Milliseconds for the whole answer. Default 20,000. */
  timeoutMs?: number;
  /** Most bytes of an answer, after decompression. Default 64 MiB. */
  maxBytes?: number;
  /** Whether "no content" (204) is an answer, of no bytes. Default false: it is refused. */
  allowNoContent?: boolean;
}

/** What a feed answered. */
export interface Fetched {
  /** 200, or 204 where that is allowed. */
  status: number;
  bytes: Buffer;
  /** The `Date` header, for carriers without an order of their own. */
  date: string | null;
}

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

const publicAgent = new Agent({ connect: { lookup: publicLookup as never } });
const anyAgent = new Agent();

function checkHost(url: URL, options: FetchOptions): void {
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw cupelError('CUP_HOST_REFUSED', { url: url.origin, expected: 'https' });
  if (!options.hosts.includes(url.hostname))
    throw cupelError('CUP_HOST_REFUSED', { host: url.hostname, expected: options.hosts.join(', ') });
}

function checkAddress(target: URL, options: FetchOptions): void {
  const host = target.hostname.replace(/^\[|\]$/g, '');
  if (!options.allowPrivateAddresses && isIP(host) && isPrivateAddress(host))
    throw cupelError('CUP_HOST_REFUSED', { host, found: 'a private address' });
}

/** Where a request really goes: the endpoint that stands for the host, else the URL itself. */
function targetOf(url: URL, options: FetchOptions): URL {
  const endpoint = options.endpoints?.[url.hostname];
  return endpoint ? new URL(url.pathname + url.search, endpoint) : url;
}

async function readBody(response: Response, maxBytes: number, url: URL): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > maxBytes) throw cupelError('CUP_ANSWER_TOO_LARGE', { url: url.href, limit: maxBytes });
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks);
}

/** Seconds that the origin asks to be left alone for: a number, or a date to be compared with its own clock. */
function retryAfterOf({ headers }: Response): { retryAfterSeconds?: number } {
  const text = headers.get('retry-after');
  if (!text) return {};
  const date = Date.parse(headers.get('date') ?? '');
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - date) / 1000;
  return Number.isFinite(seconds) && seconds >= 0 ? { retryAfterSeconds: seconds } : {};
}

function refuseStatus(url: URL, response: Response): never {
  const { status } = response;
  const retryable = status === 404 || status === 408 || status === 429 || status >= 500;
  const code = retryable ? 'CUP_FETCH_FAILED' : 'CUP_FETCH_REFUSED';
  throw cupelError(code, { url: url.href, status, ...retryAfterOf(response) });
}

async function follow(url: URL, options: FetchOptions, signal: AbortSignal, redirects = 0): Promise<Fetched> {
  checkHost(url, options);
  const target = targetOf(url, options);
  checkAddress(target, options);
  const dispatcher = options.allowPrivateAddresses ? anyAgent : publicAgent;
  const response = await fetch(target, {
    redirect: 'manual',
    signal,
    dispatcher,
    headers: { 'user-agent': 'cupel', 'accept-encoding': 'gzip' },
  });
  if (REDIRECTS.has(response.status)) {
    await response.body?.cancel();
    const location = response.headers.get('location');
    if (!location || redirects === MAX_REDIRECTS)
      throw cupelError('CUP_FETCH_FAILED', { url: url.href, expected: `at most ${MAX_REDIRECTS} redirects` });
    return follow(new URL(location, url), options, signal, redirects + 1);
  }
  if (response.status !== 200 && !(response.status === 204 && options.allowNoContent)) {
    await response.body?.cancel();
    refuseStatus(url, response);
  }
  const bytes = await readBody(response, options.maxBytes ?? 64 << 20, url);
  return { status: response.status, bytes, date: response.headers.get('date') };
}

/**
 * Fetches a feed: hosts of the list only, redirects too, no private address, within a time and a size.
 *
 * @throws CupelError CUP_HOST_REFUSED, CUP_ANSWER_TOO_LARGE, CUP_FETCH_REFUSED (no use to try again), CUP_FETCH_FAILED
 */
export async function fetchFeed(url: string, options: FetchOptions): Promise<Fetched> {
  try {
    return await follow(new URL(url), options, AbortSignal.timeout(options.timeoutMs ?? 20_000));
  } catch (error) {
    const { cause } = error as { cause?: unknown };
    if (error instanceof CupelError) throw error;
    if (cause instanceof CupelError) throw cause; // from the lookup, wrapped by fetch
    throw cupelError('CUP_FETCH_FAILED', { url, answer: (error as Error).message }, error);
  }
}
