import type { CompiledContract } from '../../contracts/index.ts';
import type { ChunkObject } from '../deltas/index.ts';
import type { ObjectStore } from '../object-store.ts';
import { ARCHIVE_FEED, hourFolder, hourOf, parseBronzeName, partitionOf } from './bronze-name.ts';

const HOUR = 3_600_000;

/** A half-open range of hours in UTC. */
export interface HourRange {
  from: Date;
  to: Date;
}

/** The whole hours that hold a range. */
export function wholeHours(range: HourRange): HourRange {
  return {
    from: new Date(Math.floor(range.from.getTime() / HOUR) * HOUR),
    to: new Date(Math.ceil(range.to.getTime() / HOUR) * HOUR),
  };
}

const hourLater = (hour: string, hours: number): string =>
  hourOf(new Date(Date.parse(`${hour}:00:00Z`) + hours * HOUR));

/**
 * A subscription closes a file minutes after its first message, so one of hour H holds messages of H and of H - 1: it belongs to
 * both partitions, to each with its part.
 */
function archivedParts(object: Omit<ChunkObject, 'partition'>, hour: string, range: HourRange): ChunkObject[] {
  const parts = [
    { hour, part: 'own' },
    { hour: hourLater(hour, -1), part: 'before' },
  ] as const;
  const { from, to } = wholeHours(range);
  const inside = parts.filter((part) => part.hour >= hourOf(from) && part.hour < hourOf(to));
  return inside.map((of) => ({
    ...object,
    partition: partitionOf({ feed: ARCHIVE_FEED, hour: of.hour }),
    part: of.part,
  }));
}

/** Objects of one feed in a range, in order of name: one listing, whatever the length of the range. */
export async function listFeed(
  store: ObjectStore,
  bucket: string,
  source: string,
  feed: string,
  range: HourRange,
): Promise<ChunkObject[]> {
  const { from, to } = wholeHours(range);
  const found: ChunkObject[] = [];
  const end = feed === ARCHIVE_FEED ? new Date(to.getTime() + HOUR) : to;
  const bounds = { from: hourFolder(source, feed, hourOf(from)), to: hourFolder(source, feed, hourOf(end)) };
  for await (const object of store.list(`gs://${bucket}/${source}/${feed}/dt=`, bounds)) {
    const parsed = parseBronzeName(object.name);
    if (!parsed) continue;
    const { name, generation, bytes } = object;
    if (feed === ARCHIVE_FEED) found.push(...archivedParts({ name, generation, bytes }, parsed.hour, range));
    else found.push({ name, generation, bytes, partition: partitionOf(parsed) });
  }
  return found;
}

/** Objects of every feed of a contract in a range. */
export async function listBronze(
  store: ObjectStore,
  bucket: string,
  contract: CompiledContract,
  range: HourRange,
): Promise<ChunkObject[]> {
  const feeds = await Promise.all(
    contract.feeds.map((feed) => listFeed(store, bucket, contract.source, feed.name, range)),
  );
  return feeds.flat();
}

/**
 * The hours that a source's Bronze holds, from the first to the last object of any feed; undefined where there is none. One listing
 * per feed.
 */
export async function bronzeRange(
  store: ObjectStore,
  bucket: string,
  contract: CompiledContract,
): Promise<HourRange | undefined> {
  const hours: string[] = [];
  for (const { name } of contract.feeds) {
    const own: string[] = [];
    for await (const object of store.list(`gs://${bucket}/${contract.source}/${name}/dt=`)) {
      const hour = parseBronzeName(object.name)?.hour;
      if (hour !== undefined) own.splice(own.length ? 1 : 0, 1, hour); // names sort by time: the first and the last are enough
    }
    const [first, last = first] = own;
    // An archived object holds messages of the hour before too.
    if (first !== undefined && last !== undefined)
      hours.push(name === ARCHIVE_FEED ? hourLater(first, -1) : first, last);
  }
  const [first, last] = [hours.sort()[0], hours.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  return { from: new Date(`${first}:00:00Z`), to: new Date(`${hourLater(last, 1)}:00:00Z`) };
}
