import type { SimulatedEvent, Version } from './events.ts';

/** A feed of the API: its name, its title, how far back it reaches. */
export interface FeedShape {
  name: string;
  title: string;
  coverageMs: number;
}

const HOUR = 3_600_000;

export const ALL_HOUR: FeedShape = { name: 'all_hour', title: 'USGS All Earthquakes, Past Hour (simulated)', coverageMs: HOUR };
export const ALL_DAY: FeedShape = { name: 'all_day', title: 'USGS All Earthquakes, Past Day (simulated)', coverageMs: 24 * HOUR };
export const ALL_WEEK: FeedShape = { name: 'all_week', title: 'USGS All Earthquakes, Past Week (simulated)', coverageMs: 168 * HOUR };

/** What the upstream collector left of a feature after the break of its schema. */
const AFTER_BREAK = ['mag', 'place', 'time', 'updated', 'url', 'detail', 'title'];

/** The version that a poll shows; once in a while the one before, as a lagging mirror does. */
function shown(event: SimulatedEvent, generated: number): Version | undefined {
  const visible = event.versions.filter((version) => version.visible <= generated);
  const lags = event.relapseAfter !== undefined && generated >= event.relapseAfter && generated < event.relapseAfter + 2 * HOUR;
  return visible.at(lags && visible.length > 1 ? -2 : -1);
}

function feature(event: SimulatedEvent, version: Version, broken: boolean): object {
  const { properties, coordinates } = version;
  const geometry = { type: 'Point', coordinates };
  if (!broken) return { type: 'Feature', properties, geometry, id: event.id };
  const kept = AFTER_BREAK.filter((name) => name in properties).map((name) => [name, name === 'mag' ? (properties.mag ?? 0) : properties[name]]);
  return { type: 'Feature', properties: Object.fromEntries(kept) as object, geometry };
}

/** The answer of a feed at a time, as bytes; `broken`: after the schema break. */
export function answer(shape: FeedShape, events: SimulatedEvent[], generated: number, broken: boolean): Buffer {
  const features = events
    .filter((event) => event.time <= generated && event.time > generated - shape.coverageMs)
    .flatMap((event) => {
      const version = shown(event, generated);
      return version ? [feature(event, version, broken)] : [];
    })
    .reverse();
  const url = `https://earthquake.usgs.gov/earthquakes/feed/v1.0/summary/${shape.name}.geojson`;
  const metadata = { generated, url, title: shape.title, status: 200, api: '1.14.1', count: features.length };
  const box = broken || !features.length ? {} : { bbox: [-180, -90, -5, 180, 90, 700] };
  return Buffer.from(JSON.stringify({ type: 'FeatureCollection', metadata, features, ...box }));
}
