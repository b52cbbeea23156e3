import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { unpackObject } from '../contracts/index.ts';
import type { CompiledContract, PullFeed } from '../contracts/index.ts';
import { CupelError, cupelError } from '../errors.ts';
import { bronzeName, hourOf } from '../lakehouse/bronze/index.ts';
import type { ObjectStore } from '../lakehouse/object-store.ts';
import { spanOf } from '../lakehouse/pull/index.ts';
import type { PulledPage, PulledWindow, PullLog, PullWindow, Span } from '../lakehouse/pull/index.ts';
import { fetchFeed } from './fetch-feed.ts';
import type { Fetched, FetchOptions } from './fetch-feed.ts';
import type { Pace } from './pace.ts';

/** What a pull works with. */
export interface PullResources {
  store: ObjectStore;
  bronzeBucket: string;
  log: PullLog;
  fetch: Omit<FetchOptions, 'hosts' | 'allowNoContent'>;
  /** Waits for the next request's turn. */
  pace: Pace;
  /** Milliseconds before the first repetition of a request; doubled each time. Default 1,000. */
  firstPauseMs?: number;
}

/** A pull of one feed on behalf of one run, which asks each of its requests once. */
export interface Pull {
  contract: CompiledContract;
  feed: PullFeed;
  run: string;
}

/** Times that a request is made before its window fails: with doubled pauses, about a minute of patience. */
const ATTEMPTS = 7;

/** Longest time that an origin is waited for because it asked for that; a window whose origin asks for more fails. */
const MAX_RETRY_AFTER_S = 120;

/** A range that is no longer than this is not halved: the origin's clock may know no less. */
const LEAST_RANGE_MS = 1000;

/** The address of a request. Parameters stand in a fixed order, since it names the request. */
export function requestUrl(feed: PullFeed, { from, to }: Span): string {
  const url = new URL(feed.url);
  for (const [name, value] of Object.entries(feed.parameters ?? {}).sort()) url.searchParams.set(name, value);
  url.searchParams.set(feed.startParameter, new Date(from).toISOString());
  url.searchParams.set(feed.endParameter, new Date(to).toISOString());
  url.searchParams.set(feed.limitParameter, String(feed.pageSize));
  return url.href;
}

/** The answer's own order, else its `Date`; microseconds. */
function orderOf({
  carrierOrder,
  date,
  object,
}: {
  carrierOrder?: bigint;
  date: string | null;
  object: string;
}): bigint {
  const order =
    carrierOrder ?? (date && !Number.isNaN(Date.parse(date)) ? BigInt(Date.parse(date)) * 1000n : undefined);
  if (order === undefined)
    throw cupelError('CUP_OBJECT_UNREADABLE', { object, expected: 'an order of its own, or a Date' });
  return order;
}

/** Lands an answer, create-only and before anybody reads it. */
async function land(
  { store, bronzeBucket }: PullResources,
  { contract, feed }: Pull,
  window: PullWindow,
  url: string,
  { status, bytes, date }: Fetched,
): Promise<PulledPage> {
  if (status === 204)
    return { url, object: null, records: 0, carrierOrder: String(orderOf({ date, object: 'answer' })) };
  const { mediaType, extension } = contract.unpack;
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const hour = hourOf(new Date(window.from));
  const object = bronzeName({ source: contract.source, feed: feed.name, hour, sha256, extension });
  await store.create(`gs://${bronzeBucket}/${object}`, bytes, mediaType);
  const { carrierOrder, records } = await unpackObject(contract, bytes, object);
  const order = orderOf({ ...(carrierOrder === undefined ? {} : { carrierOrder }), date, object });
  return { url, object, records: records.length, carrierOrder: String(order) };
}

/** Milliseconds until a failed request is made again; undefined: it is not. An unreadable answer may be a passing error page. */
function pauseAfter(error: unknown, attempt: number, firstPauseMs: number): number | undefined {
  if (!(error instanceof CupelError) || attempt >= ATTEMPTS) return undefined;
  if (!error.retryable && error.code !== 'CUP_OBJECT_UNREADABLE') return undefined;
  const asked = Number(error.details.retryAfterSeconds ?? 0);
  return asked > MAX_RETRY_AFTER_S ? undefined : Math.max(asked * 1000, firstPauseMs * 2 ** (attempt - 1));
}

/** The answer of a range: one that has landed for this run already, else the origin is asked. */
async function pageOf(resources: PullResources, pull: Pull, window: PullWindow, range: Span): Promise<PulledPage> {
  const { log, pace, fetch, firstPauseMs = 1000 } = resources;
  const { contract, feed, run } = pull;
  const url = requestUrl(feed, range);
  const known = await log.readPage(contract.source, feed.name, run, url);
  if (known) return known;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await pace();
      const fetched = await fetchFeed(url, { ...fetch, hosts: contract.hosts, allowNoContent: true });
      const page = await land(resources, pull, window, url, fetched);
      return await log.writePage(contract.source, feed.name, run, page);
    } catch (error) {
      const pause = pauseAfter(error, attempt, firstPauseMs);
      if (pause === undefined) throw error;
      await delay(pause);
    }
  }
}

/** The answers of a range: one, or where that may be cut off also those of its halves. */
async function pagesOf(resources: PullResources, pull: Pull, window: PullWindow, range: Span): Promise<PulledPage[]> {
  const page = await pageOf(resources, pull, window, range);
  if (page.records < pull.feed.pageSize) return [page];
  if (range.to - range.from <= LEAST_RANGE_MS)
    throw cupelError('CUP_PULL_WINDOW_FULL', { url: page.url, records: page.records, limit: pull.feed.pageSize });
  const middle = Math.floor((range.from + range.to) / 2);
  const first = await pagesOf(resources, pull, window, { from: range.from, to: middle });
  const second = await pagesOf(resources, pull, window, { from: middle, to: range.to });
  return [page, ...first, ...second];
}

/**
 * Pulls a window: asks the origin for its range, in halves where an answer is full, and lands every answer raw before it is read.
 * Doing it again for the same run asks only what has not landed.
 *
 * @throws CupelError CUP_PULL_WINDOW_FULL, CUP_OBJECT_UNREADABLE (the answer has landed all the same), and those of fetchFeed
 */
export async function pullWindow(resources: PullResources, pull: Pull, window: PullWindow): Promise<PulledWindow> {
  const pages = await pagesOf(resources, pull, window, spanOf(window));
  const orders = pages.map(({ carrierOrder }) => BigInt(carrierOrder));
  const pulled: PulledWindow = {
    ...window,
    run: pull.run,
    carrierOrder: String(orders.reduce((least, order) => (order < least ? order : least))),
    objects: [...new Set(pages.flatMap(({ object }) => object ?? []))],
  };
  await resources.log.writeWindow(pull.contract.source, pulled);
  return pulled;
}
