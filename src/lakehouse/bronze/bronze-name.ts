/** Where an object of Bronze belongs. */
export interface BronzeName {
  source: string;
  feed: string;
  /** Nominal hour, `YYYY-MM-DDTHH`, UTC. */
  hour: string;
  /** SHA-256 of the content, hex. */
  sha256: string;
  extension: string;
}

const NAME = /^([^/]+)\/([^/]+)\/dt=(\d{4}-\d{2}-\d{2})\/hr=(\d{2})\/([0-9a-f]{64})\.([a-z0-9]+)$/;

/** Hour of a time, `YYYY-MM-DDTHH`. */
export function hourOf(time: Date): string {
  return time.toISOString().slice(0, 13);
}

/** Folder of an hour: `<source>/<feed>/dt=YYYY-MM-DD/hr=HH/`. */
export function hourFolder(source: string, feed: string, hour: string): string {
  return `${source}/${feed}/dt=${hour.slice(0, 10)}/hr=${hour.slice(11, 13)}/`;
}

/** Name of an object: the same content in the same hour has the same name. */
export function bronzeName({ source, feed, hour, sha256, extension }: BronzeName): string {
  return `${hourFolder(source, feed, hour)}${sha256}.${extension}`;
}

/** Reads a name; undefined where it is not one that Cupel gives. */
export function parseBronzeName(name: string): BronzeName | undefined {
  const [, source, feed, date, hour, sha256, extension] = NAME.exec(name) ?? [];
  if (!source || !feed || !sha256 || !extension) return undefined;
  return { source, feed, hour: `${date}T${hour}`, sha256, extension };
}

/** Partition of an object: `<feed>/YYYY-MM-DDTHH`. */
export function partitionOf({ feed, hour }: Pick<BronzeName, 'feed' | 'hour'>): string {
  return `${feed}/${hour}`;
}
