import { below, pick } from './random.ts';
import type { Random } from './random.ts';

/** Properties of a feature as the feed gives them. */
export type Properties = Record<string, string | number | null>;

/** One content of an event. Two versions may claim the same `updated`: the real feed does that too. */
export interface Version {
  /** From when on the feed shows it, milliseconds since 1970. */
  visible: number;
  updated: number;
  properties: Properties;
  coordinates: [number, number, number];
}

/** An earthquake and what the feed says of it over time. */
export interface SimulatedEvent {
  id: string;
  time: number;
  versions: Version[];
  /** A poll that comes after this shows the version before once more. */
  relapseAfter: number | undefined;
}

const MINUTE = 60_000;
const NETWORKS = ['ci', 'nc', 'ak', 'us', 'hv', 'uu', 'pr', 'tx'] as const;
const TYPES = ['quarry blast', 'explosion', 'ice quake', 'quarry'] as const;
const PLACES = ['Simulated Ridge', 'Made-up Bay', 'Test Valley', 'Seeded Springs', 'Nowhere Point'] as const;

const round = (value: number, digits: number): number => Number(value.toFixed(digits));

/** Where and how hard; whole numbers come without a fraction, as in the feed. */
function magnitude(random: Random): number | null {
  const kind = random();
  if (kind < 0.02) return null;
  if (kind < 0.12) return below(random, 5);
  return round(random() * 4 - 0.8, kind < 0.5 ? 1 : 2);
}

function properties(random: Random, net: string, code: string, time: number): Properties {
  const mag = magnitude(random);
  const place = `${1 + below(random, 90)} km ${pick(random, ['N', 'SW', 'ESE', 'W'])} of ${pick(random, PLACES)}`;
  const event = `https://earthquake.usgs.gov/earthquakes`;
  return {
    mag,
    place,
    time,
    updated: time,
    tz: random() < 0.3 ? -480 : null,
    url: `${event}/eventpage/${net}${code}`,
    detail: `${event}/feed/v1.0/detail/${net}${code}.geojson`,
    felt: random() < 0.1 ? below(random, 40) : null,
    cdi: null,
    mmi: null,
    alert: null,
    status: random() < 0.1 ? 'AUTOMATIC' : 'automatic',
    tsunami: random() < 0.05 ? null : random() < 0.05 ? 1 : 0,
    sig: mag === null ? 0 : Math.max(0, Math.round(mag * mag * 15)),
    net,
    code,
    ids: `,${net}${code},`,
    sources: `,${net},`,
    types: ',origin,phase-data,',
    nst: random() < 0.1 ? null : 3 + below(random, 60),
    dmin: random() < 0.2 ? null : round(random() * 2, random() < 0.2 ? 0 : 5),
    rms: round(random(), 2),
    gap: random() < 0.15 ? null : round(random() * 300, random() < 0.5 ? 0 : 1),
    magType: pick(random, ['ml', 'md', 'mb', 'mww']),
    type: random() < 0.06 ? pick(random, TYPES) : 'earthquake',
    title: `M ${mag ?? '?'} - ${place} (simulated)`,
  };
}

function revise(random: Random, before: Version, visible: number): Version {
  const mag = before.properties.mag;
  const next = typeof mag === 'number' ? round(mag + random() * 0.4 - 0.2, 2) : mag;
  const updated = visible - below(random, 5 * MINUTE);
  const changed = { ...before.properties, mag: next, updated, status: 'reviewed', felt: below(random, 30), title: `M ${next} - revised (simulated)` };
  return { visible, updated, properties: changed as Properties, coordinates: [...before.coordinates] };
}

/** Another content that claims the same version. */
function tie(before: Version, visible: number): Version {
  return { ...before, visible, properties: { ...before.properties, sig: Number(before.properties.sig) + 1 } };
}

function versions(random: Random, first: Version): Version[] {
  const all = [first];
  let at = first.visible;
  while (random() < 0.45 && all.length < 4) {
    at += 10 * MINUTE + below(random, 9 * 60) * MINUTE;
    all.push(revise(random, all.at(-1) as Version, at));
  }
  if (random() < 0.06) all.push(tie(all.at(-1) as Version, at + 45 * MINUTE));
  return all;
}

/** Minutes until the feed shows an event: mostly few, sometimes past every hourly poll, sometimes a day. */
function delay(random: Random): number {
  const kind = random();
  if (kind < 0.03) return (18 + below(random, 5)) * 60;
  if (kind < 0.08) return 65 + below(random, 180);
  return 2 + below(random, 12);
}

/** Makes one event. */
export function makeEvent(random: Random, index: number, time: number): SimulatedEvent {
  const net = pick(random, NETWORKS);
  const code = `sim${String(index).padStart(6, '0')}`;
  const given = properties(random, net, code, time);
  const visible = time + delay(random) * MINUTE;
  const updated = visible - MINUTE;
  if (random() < 0.02) delete given.title;
  const coordinates: [number, number, number] = [round(random() * 360 - 180, 4), round(random() * 170 - 85, 4), round(random() * 40 - 3, 2)];
  const all = versions(random, { visible, updated, properties: { ...given, updated }, coordinates });
  const last = all.at(-1) as Version;
  return { id: `${net}${code}`, time, versions: all, relapseAfter: all.length > 1 && random() < 0.15 ? last.visible + 60 * MINUTE : undefined };
}
