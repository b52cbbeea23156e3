import type { CompiledContract } from '../../contracts/index.ts';
import type { ChunkObject } from '../deltas/index.ts';
import type { ObjectStore } from '../object-store.ts';
import { hourFolder, hourOf, parseBronzeName, partitionOf } from './bronze-name.ts';

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
  const bounds = { from: hourFolder(source, feed, hourOf(from)), to: hourFolder(source, feed, hourOf(to)) };
  for await (const object of store.list(`gs://${bucket}/${source}/${feed}/dt=`, bounds)) {
    const name = parseBronzeName(object.name);
    if (name)
      found.push({
        name: object.name,
        generation: object.generation,
        bytes: object.bytes,
        partition: partitionOf(name),
      });
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
