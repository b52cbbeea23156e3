import type { ChunkObject } from '../../src/lakehouse/deltas/index.ts';
import { MOST_THREADS, threadCount } from '../threads/thread-count.ts';

/** An object of a chunk, and where in the chunk it lies. */
export interface ListedObject extends ChunkObject {
  /** From 0 up to 1: objects of one place hold the same records, more or less, so that one thread should reduce them. */
  place: number;
}

/** Bytes that are worth a thread of their own. */
const LANE_BYTES = 2 << 20;

/** Hour of an object's partition, `YYYY-MM-DDTHH`. */
const hourOf = ({ partition }: ChunkObject): string => partition.slice(-13);

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Lists objects in as many lanes as they are worth: each lane holds neighbouring hours, which tell of the same records again and
 * again, and about as many bytes as the others. The lanes take turns, so that each has something to do from the start.
 */
export function inLanes(objects: readonly ChunkObject[]): ListedObject[] {
  const sorted = objects.toSorted((a, b) => compare(hourOf(a), hourOf(b)) || compare(a.name, b.name));
  const total = sorted.reduce((sum, { bytes }) => sum + bytes, 0);
  // One for each thread that may read them, here or where the graph is sent to.
  const most = Math.max(MOST_THREADS, threadCount());
  const count = Math.max(1, Math.min(most, Math.floor(total / LANE_BYTES)));
  const lanes: ListedObject[][] = Array.from({ length: count }, () => []);
  let before = 0;
  for (const object of sorted) {
    const lane = Math.min(count - 1, Math.floor(((before + object.bytes / 2) / Math.max(1, total)) * count));
    lanes[lane]?.push({ ...object, place: lane / count });
    before += object.bytes;
  }
  const longest = Math.max(...lanes.map(({ length }) => length));
  return Array.from({ length: longest }, (_, turn) => lanes.flatMap((lane) => lane[turn] ?? [])).flat();
}
