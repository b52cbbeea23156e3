import type { SimulatedEvent, Version } from './events.ts';

/** A feed of the API: its name, its title, how far back it reaches. */
export interface FeedShape {
  name: string;
  title: string;
  coverageMs: number;
}

const HOUR = 3_600_000;

export const ALL_HOUR: FeedShape = {
  name: 'all_hour',
  title: 'USGS All Earthquakes, Past Hour (simulated)',
  coverageMs: HOUR,
};
export const ALL_DAY: FeedShape = {
  name: 'all_day',
  title: 'USGS All Earthquakes, Past Day (simulated)',
  coverageMs: 24 * HOUR,
};
export const ALL_WEEK: FeedShape = {
  name: 'all_week',
  title: 'USGS All Earthquakes, Past Week (simulated)',
  coverageMs: 168 * HOUR,
};

/** How long a relapse to the version before lasts: long enough for a poll of the daily feed, made each six hours, to see it. */
const RELAPSE_MS = 6.5 * HOUR;

/** What the upstream collector of the recorded polls left of a feature from 2025-05-04T14:4x on; neither `id` nor `bbox`. */
const AFTER_BREAK = ['mag', 'place', 'time', 'updated', 'url', 'detail', 'title'];

interface Shown {
  event: SimulatedEvent;
  version: Version;
}

/** The version that a poll shows; once in a while the one before, as a lagging mirror does. */
function shownAt(event: SimulatedEvent, generated: number): Shown[] {
  const visible = event.versions.filter((version) => version.visible <= generated);
  const since = generated - (event.relapseAt ?? Infinity);
  const relapsed = since >= 0 && since < RELAPSE_MS;
  const version = visible.at(relapsed ? -2 : -1);
  return version ? [{ event, version }] : [];
}

function fullFeature({ event, version }: Shown): object {
  const { properties, coordinates } = version;
  return { type: 'Feature', properties, geometry: { type: 'Point', coordinates }, id: event.id };
}

/** A feature after the break: few properties, no id, and a null magnitude had become 0. */
function brokenFeature({ version }: Shown): object {
  const { properties, coordinates } = version;
  const kept = AFTER_BREAK.filter((name) => name in properties).map((name) => [
    name,
    properties[name] ?? (name === 'mag' ? 0 : null),
  ]);
  return { type: 'Feature', properties: Object.fromEntries(kept) as object, geometry: { type: 'Point', coordinates } };
}

/** Least and greatest longitude, latitude and depth; the feed leaves it out when there is no feature. */
function boundingBox(shown: Shown[]): { bbox?: number[] } {
  if (!shown.length) return {};
  const axes = [0, 1, 2].map((axis) => shown.map(({ version }) => version.coordinates[axis] as number));
  return { bbox: [...axes.map((values) => Math.min(...values)), ...axes.map((values) => Math.max(...values))] };
}

/** The answer of a feed at a time, as bytes, the newest event first; `broken`: after the schema break. */
export function answer(shape: FeedShape, events: SimulatedEvent[], generated: number, broken: boolean): Buffer {
  const shown = events
    .filter((event) => event.time <= generated && event.time > generated - shape.coverageMs)
    .flatMap((event) => shownAt(event, generated))
    .reverse();
  const features = shown.map(broken ? brokenFeature : fullFeature);
  const url = `https://earthquake.usgs.gov/earthquakes/feed/v1.0/summary/${shape.name}.geojson`;
  const metadata = { generated, url, title: shape.title, status: 200, api: '1.14.1', count: features.length };
  const box = broken ? {} : boundingBox(shown);
  return Buffer.from(JSON.stringify({ type: 'FeatureCollection', metadata, features, ...box }));
}
