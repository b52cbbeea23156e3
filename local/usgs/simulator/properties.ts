import { below, chance, pick, round } from './random.ts';
import type { Random } from './random.ts';

/** Properties of a feature as the feed gives them. */
export type Properties = Record<string, string | number | null>;

const NETWORKS = ['ci', 'nc', 'ak', 'us', 'hv', 'uu', 'pr', 'tx'] as const;
const MAGNITUDE_TYPES = ['ml', 'md', 'mb', 'mww', 'Ml', 'mb_lg'] as const;
const OTHER_TYPES = ['quarry blast', 'explosion', 'ice quake', 'quarry'] as const;
const DIRECTIONS = ['N', 'SW', 'ESE', 'W'] as const;
const PLACES = ['Simulated Ridge', 'Made-up Bay', 'Test Valley', 'Seeded Springs', 'Nowhere Point'] as const;
const SITE = 'https://earthquake.usgs.gov/earthquakes';

/** Whole numbers come without a fraction, as in the feed; small quakes have a negative magnitude, some have none yet. */
function magnitude(random: Random): number | null {
  if (chance(random, 0.02)) return null;
  if (chance(random, 0.1)) return below(random, 5);
  return round(random() * 4 - 0.8, chance(random, 0.4) ? 1 : 2);
}

/** The title of a magnitude and a place, said to be simulated. */
export function titleOf(mag: number | null, place: string): string {
  return `M ${mag === null ? '?' : mag.toFixed(1)} - ${place} (simulated)`;
}

/** Significance grows with the square of the magnitude. */
export function significanceOf(mag: number | null): number {
  return mag === null ? 0 : Math.round(mag * mag * 15);
}

function origin(random: Random): Properties {
  return {
    nst: chance(random, 0.1) ? null : 3 + below(random, 60),
    dmin: chance(random, 0.2) ? null : round(random() * 2, chance(random, 0.2) ? 0 : 5),
    rms: round(random(), 2),
    gap: chance(random, 0.15) ? null : round(random() * 300, chance(random, 0.5) ? 0 : 1),
    magType: pick(random, MAGNITUDE_TYPES),
    type: chance(random, 0.06) ? pick(random, OTHER_TYPES) : 'earthquake',
  };
}

/** The 26 properties of a new event, in the order of the feed; a few lack their title. */
export function makeProperties(random: Random, serial: string, time: number, updated: number): Properties {
  const net = pick(random, NETWORKS);
  const id = `${net}${serial}`;
  const mag = magnitude(random);
  const place = `${1 + below(random, 90)} km ${pick(random, DIRECTIONS)} of ${pick(random, PLACES)}`;
  return {
    mag,
    place,
    time,
    updated,
    tz: chance(random, 0.3) ? -480 : null,
    url: `${SITE}/eventpage/${id}`,
    detail: `${SITE}/feed/v1.0/detail/${id}.geojson`,
    felt: chance(random, 0.1) ? below(random, 40) : null,
    cdi: null,
    mmi: null,
    alert: null,
    status: chance(random, 0.1) ? 'AUTOMATIC' : 'automatic',
    tsunami: chance(random, 0.05) ? null : Number(chance(random, 0.05)),
    sig: significanceOf(mag),
    net,
    code: serial,
    ids: `,${id},`,
    sources: `,${net},`,
    types: ',origin,phase-data,',
    ...origin(random),
    ...(chance(random, 0.02) ? {} : { title: titleOf(mag, place) }),
  };
}
