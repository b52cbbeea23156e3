/** Where an object of Bronze belongs. */
export interface BronzeName {
  source: string;
  feed: string;
  /** Nominal hour, `YYYY-MM-DDTHH`, UTC. */
  hour: string;
  /**
   * SHA-256, hex: of the content; of delivery and body, where the content is a webhook's envelope. Undefined where a Cloud
   * Storage subscription named the object.
   */
  sha256?: string;
  extension: string;
}

/** A name that Cupel gives. */
export type OwnBronzeName = BronzeName & { sha256: string };

/** Folder of what a Cloud Storage subscription archives. */
export const ARCHIVE_FEED = '_sub';

/**
 * What such a subscription is to be configured with, behind `<source>/_sub/dt=`: then its names sort by time, and a range is one
 * listing.
 */
export const ARCHIVE_DATETIME_FORMAT = 'YYYY-MM-DD/hh_mm_ssZ';

const ARCHIVED = /^([^/]+)\/_sub\/dt=(\d{4}-\d{2}-\d{2})\/(\d{2})_\d{2}_\d{2}Z_[^/]+\.([a-z0-9]+)$/;

const NAME = /^([^/]+)\/([^/]+)\/dt=(\d{4}-\d{2}-\d{2})\/hr=(\d{2})\/([0-9a-f]{64})\.([a-z0-9]+)$/;

/** Hour of a time, `YYYY-MM-DDTHH`. */
export function hourOf(time: Date): string {
  return time.toISOString().slice(0, 13);
}

/** What the names of an hour begin with: `<source>/<feed>/dt=YYYY-MM-DD/hr=HH/`, in an archive `<source>/_sub/dt=YYYY-MM-DD/HH_`. */
export function hourFolder(source: string, feed: string, hour: string): string {
  if (feed === ARCHIVE_FEED) return `${source}/${feed}/dt=${hour.slice(0, 10)}/${hour.slice(11, 13)}_`;
  return `${source}/${feed}/dt=${hour.slice(0, 10)}/hr=${hour.slice(11, 13)}/`;
}

/** Name of an object: the same content in the same hour has the same name. */
export function bronzeName({ source, feed, hour, sha256, extension }: OwnBronzeName): string {
  return `${hourFolder(source, feed, hour)}${sha256}.${extension}`;
}

function parseArchived(name: string): BronzeName | undefined {
  const [, source, date, hour, extension] = ARCHIVED.exec(name) ?? [];
  return source && extension ? { source, feed: ARCHIVE_FEED, hour: `${date}T${hour}`, extension } : undefined;
}

/** Reads a name; undefined where it is not one that Cupel or its archive gives. */
export function parseBronzeName(name: string): BronzeName | undefined {
  const [, source, feed, date, hour, sha256, extension] = NAME.exec(name) ?? [];
  if (!source || !feed || !sha256 || !extension) return parseArchived(name);
  return { source, feed, hour: `${date}T${hour}`, sha256, extension };
}

/** Partition of an object: `<feed>/YYYY-MM-DDTHH`. */
export function partitionOf({ feed, hour }: Pick<BronzeName, 'feed' | 'hour'>): string {
  return `${feed}/${hour}`;
}
