import { createHash } from 'node:crypto';
import { isPolled, unpackObject } from '../contracts/index.ts';
import type { CompiledContract, PollFeed, Unpacked } from '../contracts/index.ts';
import { CupelError, cupelError } from '../errors.ts';
import { bronzeName, hourOf } from '../lakehouse/bronze/index.ts';
import type { ObjectStore } from '../lakehouse/object-store.ts';
import { fetchFeed } from './fetch-feed.ts';
import type { FetchOptions } from './fetch-feed.ts';
import type { RecordPublisher } from './record-publisher.ts';

/** What the poll function is asked: one poll of one feed. */
export interface PollRequest {
  source: string;
  feed: string;
  /** ISO 8601: the time of the schedule that this poll stands for. */
  nominalTime: string;
  contractHash: string;
}

/** What became of a poll. */
export interface PollResult {
  /** Name in the Bronze bucket. */
  object: string;
  /** Whether this very answer was there already. */
  alreadyLanded: boolean;
  /**
   * `landed`: under its nominal hour. `gap`: the answer came too late to hold that hour, so it landed under its own and the
   * hour is a gap. `unreadable`: landed raw, validation will refuse it.
   */
  state: 'landed' | 'gap' | 'unreadable';
  /** Microseconds since 1970, decimal; null for an unreadable answer. */
  carrierOrder: string | null;
  bytes: number;
  records: number;
  /** Messages published by this call. */
  published: number;
}

/** What a poll works with. */
export interface PollResources {
  store: ObjectStore;
  bronzeBucket: string;
  opsBucket: string;
  publisher: RecordPublisher;
  fetch: Omit<FetchOptions, 'hosts'>;
}

function feedOf(contract: CompiledContract, name: string): PollFeed {
  const polled = contract.feeds.filter(isPolled);
  const feed = polled.find((candidate) => candidate.name === name);
  if (!feed)
    throw cupelError('CUP_FEED_UNKNOWN', {
      feed: name,
      known: polled.map((candidate) => candidate.name).join(', ') || 'none',
    });
  return feed;
}

async function tryUnpack(contract: CompiledContract, bytes: Uint8Array): Promise<Unpacked | undefined> {
  try {
    return await unpackObject(contract, bytes, 'answer');
  } catch (error) {
    if (error instanceof CupelError && error.code === 'CUP_OBJECT_UNREADABLE') return undefined;
    throw error;
  }
}

/** An answer holds its nominal hour up to `coverage - interval` late, judged by the answer's own order and never by our clock. */
function placeOf(
  feed: PollFeed,
  nominal: Date,
  opened: Unpacked | undefined,
): { hour: string; state: PollResult['state'] } {
  if (opened?.carrierOrder === undefined) return { hour: hourOf(nominal), state: 'unreadable' };
  const carried = Number(opened.carrierOrder / 1000n);
  const allowed = (feed.coverageSeconds - (feed.intervalSeconds ?? 0)) * 1000;
  if (carried - nominal.getTime() <= allowed) return { hour: hourOf(nominal), state: 'landed' };
  return { hour: hourOf(new Date(carried)), state: 'gap' };
}

/**
 * Polls a feed once: lands the answer raw, create-only, then publishes its records, then writes the marker that says so.
 * Doing it again changes nothing: the same answer has the same name, and messages carry their record's id.
 *
 * @throws CupelError CUP_FEED_UNKNOWN, CUP_REQUEST_INVALID, and those of fetchFeed
 */
export async function pollFeed(
  resources: PollResources,
  contract: CompiledContract,
  request: PollRequest,
): Promise<PollResult> {
  const feed = feedOf(contract, request.feed);
  const nominal = new Date(request.nominalTime);
  if (Number.isNaN(nominal.getTime()))
    throw cupelError('CUP_REQUEST_INVALID', { nominalTime: request.nominalTime, expected: 'an ISO 8601 time' });
  const { bytes } = await fetchFeed(feed.url, { ...resources.fetch, hosts: contract.hosts });
  const opened = await tryUnpack(contract, bytes);
  const { hour, state } = placeOf(feed, nominal, opened);
  const { mediaType, extension } = contract.unpack;
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const object = bronzeName({ source: contract.source, feed: feed.name, hour, sha256, extension });
  const { outcome } = await resources.store.create(`gs://${resources.bronzeBucket}/${object}`, bytes, mediaType);
  const published = opened ? await publishOnce(resources, contract, object, opened, outcome === 'exists') : 0;
  return {
    object,
    alreadyLanded: outcome === 'exists',
    state,
    carrierOrder: opened?.carrierOrder === undefined ? null : String(opened.carrierOrder),
    bytes: bytes.length,
    records: opened?.records.length ?? 0,
    published,
  };
}

/** A crash after landing left no marker: then the records go out now. With one they are out already. */
async function publishOnce(
  { store, opsBucket, publisher }: PollResources,
  contract: CompiledContract,
  object: string,
  opened: Unpacked,
  wasThere: boolean,
): Promise<number> {
  const marker = `gs://${opsBucket}/_outbox/${object}`;
  if (wasThere && (await store.readIfExists(marker))) return 0;
  const published = await publisher.publish(contract, object, opened);
  await store.create(marker, '');
  return published;
}
