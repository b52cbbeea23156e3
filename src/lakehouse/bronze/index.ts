export {
  ARCHIVE_DATETIME_FORMAT,
  ARCHIVE_FEED,
  bronzeName,
  hourFolder,
  hourOf,
  parseBronzeName,
  partitionOf,
} from './bronze-name.ts';
export type { BronzeName, OwnBronzeName } from './bronze-name.ts';
export { bronzeRange, listBronze, listFeed, wholeHours } from './list-bronze.ts';
export type { HourRange } from './list-bronze.ts';
export { belongs, openObject } from './open-object.ts';
export { missingRuns, partitionsOf, slotMs } from './partitions.ts';
export type { MissingRun, Partition } from './partitions.ts';
