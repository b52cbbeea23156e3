import { intervalOf } from '../../contracts/index.ts';
import type { CompiledContract, Feed } from '../../contracts/index.ts';
import { fingerprint } from '../deltas/index.ts';
import type { ChunkObject } from '../deltas/index.ts';

/** One hour of one feed that holds objects. */
export interface Partition {
  /** `<feed>/YYYY-MM-DDTHH` */
  partition: string;
  fingerprint: string;
  bytes: number;
  objects: ChunkObject[];
}

/** Groups objects into partitions, in order of partition. */
export function partitionsOf(contract: CompiledContract, objects: ChunkObject[]): Partition[] {
  const groups = [...Map.groupBy(objects, (object) => object.partition)];
  groups.sort(([a], [b]) => (a < b ? -1 : 1));
  return groups.map(([partition, members]) => ({
    partition,
    fingerprint: fingerprint(members, contract.hash, contract.rulesVersion),
    bytes: members.reduce((sum, object) => sum + object.bytes, 0),
    objects: members,
  }));
}

/** A run of slots of a feed without an object. */
export interface MissingRun {
  feed: string;
  /** First missing slot, ISO 8601. */
  from: string;
  /** Slot of the next object, ISO 8601. */
  to: string;
  slots: number;
}

const HOUR_MS = 3_600_000;

/**
 * Milliseconds of a feed's slots; undefined: it has no schedule. An hour at least, since a folder's name tells no more: of a
 * feed that is polled more often only a whole hour without an answer is seen.
 */
export function slotMs(feed: Feed): number | undefined {
  const intervalSeconds = intervalOf(feed);
  return intervalSeconds === undefined ? undefined : Math.max(HOUR_MS, intervalSeconds * 1000);
}

function missingOf(feed: Feed, hours: string[]): MissingRun[] {
  const width = slotMs(feed);
  if (width === undefined) return [];
  const slots = [...new Set(hours.map((hour) => Math.floor(Date.parse(`${hour}:00:00Z`) / width)))].sort(
    (a, b) => a - b,
  );
  return slots.flatMap((slot, index) => {
    const before = slots[index - 1];
    if (before === undefined || slot - before <= 1) return [];
    const at = (number: number) => new Date(number * width).toISOString();
    return [{ feed: feed.name, from: at(before + 1), to: at(slot), slots: slot - before - 1 }];
  });
}

/** Slots of the schedule without an object, only between a feed's first and last: reported, never an error. */
export function missingRuns(contract: CompiledContract, partitions: Pick<Partition, 'partition'>[]): MissingRun[] {
  return contract.feeds.flatMap((feed) => {
    const prefix = `${feed.name}/`;
    const hours = partitions
      .filter(({ partition }) => partition.startsWith(prefix))
      .map(({ partition }) => partition.slice(prefix.length));
    return missingOf(feed, hours);
  });
}
