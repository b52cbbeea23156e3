import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

const unzip = promisify(gunzip);

/** One answer of the API. */
export interface Poll {
  /** Last segment of the feed's URL, such as `all_hour`. */
  feed: string;
  /** `metadata.generated`, milliseconds since 1970. */
  generated: number;
  /** The answer, not compressed. */
  read(): Promise<Buffer>;
}

/** Order of polls: by time, then by feed. */
export function comparePolls(a: Poll, b: Poll): number {
  return a.generated - b.generated || (a.feed < b.feed ? -1 : a.feed > b.feed ? 1 : 0);
}

/** Name of the feed that an answer says it is of. */
export function feedOfUrl(url: unknown): string | undefined {
  return typeof url === 'string' ? /\/([^/]+)\.geojson(?:[?#].*)?$/.exec(url)?.[1] : undefined;
}

async function readPoll(file: string): Promise<Poll> {
  const read = async (): Promise<Buffer> => unzip(await readFile(file));
  let metadata: { url?: unknown; generated?: unknown } | undefined;
  try {
    metadata = (JSON.parse((await read()).toString('utf8')) as { metadata?: typeof metadata }).metadata;
  } catch (error) {
    throw new Error(`${file}: expected a gzipped poll in JSON`, { cause: error });
  }
  const feed = feedOfUrl(metadata?.url);
  if (!feed || typeof metadata?.generated !== 'number') {
    throw new Error(`${file}: expected metadata.url ending in <feed>.geojson and metadata.generated in milliseconds`);
  }
  return { feed, generated: metadata.generated, read };
}

/**
 * Recorded polls: every `*.geojson.gz` anywhere below a folder, in order.
 *
 * @throws Error naming the file that is no poll
 */
export async function findPolls(directory: string): Promise<Poll[]> {
  const names = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith('.geojson.gz'));
  const polls = await Promise.all(names.sort().map((name) => readPoll(path.join(directory, name))));
  return polls.sort(comparePolls);
}
