import type { Poll } from './polls.ts';

/** Path of the event service (FDSN Web Services 1.2), as the real site has it. */
export const FDSN_PATH = '/fdsnws/event/1/query';

/** Most events of an answer, as the real site allows. */
const MAX_LIMIT = 20_000;

/** Where a query that says no start begins: thirty days back, as the real site does. */
const DEFAULT_REACH_MS = 30 * 24 * 3_600_000;

const KNOWN = new Set(['format', 'starttime', 'endtime', 'limit', 'offset', 'orderby', 'nodata']);
const TIME = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:\d{2})?$/;

interface Feature {
  id?: string;
  properties: { time: number; updated: number; url?: string };
}

/** What a query is answered with. */
export interface FdsnAnswer {
  status: number;
  body: Buffer;
}

interface Query {
  start: number;
  end: number;
  limit: number | undefined;
  offset: number;
  ascending: boolean;
  nodata: number | undefined;
}

class BadRequest extends Error {}

/** A time without a zone is UTC. */
function readTime(name: string, text: string | null, otherwise: number): number {
  if (text === null) return otherwise;
  const zoned = /(?:Z|[+-]\d{2}:\d{2})$/.test(text) || text.length === 'YYYY-MM-DD'.length ? text : `${text}Z`;
  const time = TIME.test(text) ? Date.parse(zoned) : NaN;
  if (Number.isNaN(time)) throw new BadRequest(`Bad ${name} value "${text}". Valid values are ISO-8601 timestamps.`);
  return time;
}

function readNumber(name: string, text: string | null, most: number): number | undefined {
  if (text === null) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(value >= 1 && value <= most))
    throw new BadRequest(`Bad ${name} value "${text}". Valid values are 1 to ${most}.`);
  return value;
}

function oneOf(name: string, text: string | null, values: string[]): string | undefined {
  if (text !== null && !values.includes(text))
    throw new BadRequest(`Bad ${name} value "${text}". Valid values are ${values.join(', ')}.`);
  return text ?? undefined;
}

function readQuery(given: URLSearchParams, now: number): Query {
  for (const name of given.keys()) if (!KNOWN.has(name)) throw new BadRequest(`Unknown parameter "${name}".`);
  if (given.get('format') !== 'geojson') throw new BadRequest('Only format=geojson is served.');
  const start = readTime('starttime', given.get('starttime'), now - DEFAULT_REACH_MS);
  const end = readTime('endtime', given.get('endtime'), now);
  if (start > end) throw new BadRequest('Bad starttime value: it is after endtime.');
  return {
    start,
    end,
    limit: readNumber('limit', given.get('limit'), MAX_LIMIT),
    offset: readNumber('offset', given.get('offset'), Number.MAX_SAFE_INTEGER) ?? 1,
    ascending: oneOf('orderby', given.get('orderby'), ['time', 'time-asc']) === 'time-asc',
    nodata: Number(oneOf('nodata', given.get('nodata'), ['204', '404'])) || undefined,
  };
}

/** The origin's own memory: of each event the newest version that any poll has shown by now. */
export class EventCatalog {
  readonly #polls: readonly Poll[];
  #newest = new Map<string, Feature>();
  /** Polls that have been read. */
  #read = 0;
  #reading: Promise<void> = Promise.resolve();

  /** @param polls in order of time */
  constructor(polls: readonly Poll[]) {
    this.#polls = polls;
  }

  /**
   * Answers a query as of a time: the same query at the same time has the same answer.
   *
   * @param url path and query of the request
   * @param now milliseconds since 1970
   */
  async answer(url: string, now: number): Promise<FdsnAnswer> {
    const { search, searchParams } = new URL(url, 'https://earthquake.usgs.gov');
    try {
      const query = readQuery(searchParams, now);
      const events = await this.#eventsAt(now);
      return respond(query, events, `https://earthquake.usgs.gov${FDSN_PATH}${search}`, now);
    } catch (error) {
      if (!(error instanceof BadRequest)) throw error;
      return { status: 400, body: Buffer.from(`Error 400: Bad Request\n\n${error.message}\n`) };
    }
  }

  async #eventsAt(now: number): Promise<Feature[]> {
    const turn = this.#reading.then(() => this.#catchUp(now));
    this.#reading = turn.then(
      () => undefined,
      () => undefined,
    );
    return turn;
  }

  async #catchUp(now: number): Promise<Feature[]> {
    if (this.#read > 0 && (this.#polls[this.#read - 1]?.generated ?? 0) > now) {
      this.#newest = new Map(); // the clock went back
      this.#read = 0;
    }
    for (let poll = this.#polls[this.#read]; poll && poll.generated <= now; poll = this.#polls[this.#read]) {
      const { features } = JSON.parse((await poll.read()).toString('utf8')) as { features: Feature[] };
      for (const feature of features) this.#take(feature);
      this.#read += 1;
    }
    return [...this.#newest.values()];
  }

  /** A poll may show an older version than the one before; of two contents of one version the later one is the newer. */
  #take(feature: Feature): void {
    const id = feature.id ?? feature.properties.url?.split('/').at(-1) ?? '';
    const known = this.#newest.get(id);
    if (!known || feature.properties.updated >= known.properties.updated) this.#newest.set(id, feature);
  }
}

function respond(query: Query, events: Feature[], url: string, now: number): FdsnAnswer {
  const { start, end, limit, offset, ascending, nodata } = query;
  const found = events
    .filter(({ properties: { time } }) => time >= start && time <= end) // "on or before" the end, says FDSN
    .sort((a, b) => (ascending ? 1 : -1) * (a.properties.time - b.properties.time));
  if (limit === undefined && found.length > MAX_LIMIT)
    throw new BadRequest(`${found.length} matching events exceeds search limit of ${MAX_LIMIT}.`);
  const features = found.slice(offset - 1, limit === undefined ? undefined : offset - 1 + limit);
  if (!features.length && nodata) return { status: nodata, body: Buffer.alloc(0) };
  const metadata = {
    generated: now,
    url,
    title: 'USGS Earthquakes',
    status: 200,
    api: '1.14.1',
    ...(limit === undefined ? {} : { limit }),
    offset,
    count: features.length,
  };
  return { status: 200, body: Buffer.from(JSON.stringify({ type: 'FeatureCollection', metadata, features })) };
}
