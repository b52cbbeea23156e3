import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import pLimit from 'p-limit';

const unzip = promisify(gunzip);

/** Files opened at once: a folder may span years, and every open file is held whole. */
const AT_ONCE = 8;

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

/** Name of the feed that an answer says it is of; `http:` in 2013, `https:` since. */
export function feedOfUrl(url: unknown): string | undefined {
  return typeof url === 'string' ? /\/([^/?#]+)\.geojson(?:[?#].*)?$/.exec(url)?.[1] : undefined;
}

async function readGzip(file: string): Promise<Buffer> {
  try {
    return await unzip(await readFile(file));
  } catch (error) {
    throw new Error(`${file}: expected a readable gzip file`, { cause: error });
  }
}

function metadataOf(file: string, bytes: Buffer): { url?: unknown; generated?: unknown } {
  try {
    const answer = JSON.parse(bytes.toString('utf8')) as { metadata?: object | null } | null;
    return answer?.metadata ?? {};
  } catch (error) {
    throw new Error(`${file}: expected a poll in JSON`, { cause: error });
  }
}

/** Keeps the path only: the bytes are read again when the poll is served. */
async function indexPoll(file: string): Promise<Poll> {
  const { url, generated } = metadataOf(file, await readGzip(file));
  const feed = feedOfUrl(url);
  if (!feed || !Number.isSafeInteger(generated)) {
    throw new Error(`${file}: expected metadata.url ending in <feed>.geojson and metadata.generated in milliseconds`);
  }
  return { feed, generated: generated as number, read: () => readGzip(file) };
}

/**
 * Recorded polls: every `*.geojson.gz` anywhere below a folder, in order.
 *
 * @throws Error naming the file that is no poll, or the folder that cannot be read
 */
export async function findPolls(directory: string): Promise<Poll[]> {
  const names = await readdir(directory, { recursive: true }).catch((error: unknown) => {
    throw new Error(`${directory}: expected a folder of *.geojson.gz polls`, { cause: error });
  });
  const files = names.filter((name) => name.endsWith('.geojson.gz')).sort();
  const limit = pLimit(AT_ONCE);
  const polls = await Promise.all(files.map((name) => limit(indexPoll, path.join(directory, name))));
  return polls.sort(comparePolls);
}
