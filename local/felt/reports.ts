import { below, chance, pick, round, seeded } from '../usgs/simulator/random.ts';
import type { Random } from '../usgs/simulator/random.ts';

/** An earthquake that people may have felt. */
export interface FeltEarthquake {
  event_id: string;
  /** Milliseconds since 1970. */
  time: number;
  /** Degrees. */
  longitude: number;
  latitude: number;
  /** Default 4. */
  magnitude?: number | null;
}

/** What somebody felt, as an app tells it: a message of the contract `felt_reports`. */
export interface FeltReport {
  report_id: string;
  event_id: string;
  felt_at: string;
  intensity: number;
  longitude: number | null;
  latitude: number | null;
  comment: string | null;
}

const COMMENTS = [
  'Short and sharp',
  'The lamp swung for a while',
  'Woke me up, the dog barked – nothing broke',
  'Glasses fell from the shelf',
  'Ein leichtes Zittern, dann Stille',
  'Se movió todo, muy fuerte',
  '揺れました 😮',
  'Said "was that a truck?"\nIt was not',
];

const KM_PER_DEGREE = 111.2;
const FELT_WITHIN_KM = 250;
/** Seismic shear waves, which people feel, in km/s; then they take their time to reach for the telephone. */
const WAVE_KM_PER_S = 3.5;
const LATEST_ANSWER_MS = 20 * 60_000;

/** Grows with the magnitude and fades with the distance, as Modified Mercalli does; 1 to 12. */
function intensityAt(random: Random, magnitude: number, km: number): number {
  const felt = 1.5 * magnitude - 3 * Math.log10(Math.max(km, 5) / 5) + random() * 2 - 1;
  return Math.min(12, Math.max(1, Math.round(felt)));
}

/** Most people are near: towns are denser than the square of the distance. */
function placeNear(random: Random, quake: FeltEarthquake): { km: number; longitude: number; latitude: number } {
  const km = FELT_WITHIN_KM * random() ** 2;
  const direction = random() * 2 * Math.PI;
  const latitude = quake.latitude + (km / KM_PER_DEGREE) * Math.sin(direction);
  const degree = KM_PER_DEGREE * Math.max(0.05, Math.cos((quake.latitude * Math.PI) / 180));
  const longitude = quake.longitude + (km / degree) * Math.cos(direction);
  return {
    km,
    latitude: round(Math.min(90, Math.max(-90, latitude)), 4),
    longitude: round(((((longitude + 180) % 360) + 360) % 360) - 180, 4),
  };
}

function report(random: Random, quake: FeltEarthquake, reportId: string): FeltReport {
  const { km, longitude, latitude } = placeNear(random, quake);
  const located = chance(random, 0.9);
  const waves = (km / WAVE_KM_PER_S) * 1000;
  return {
    report_id: reportId,
    event_id: quake.event_id,
    felt_at: new Date(quake.time + Math.ceil(waves) + 1 + below(random, LATEST_ANSWER_MS)).toISOString(),
    intensity: intensityAt(random, quake.magnitude ?? 4, km),
    longitude: located ? longitude : null,
    latitude: located ? latitude : null,
    comment: chance(random, 0.4) ? pick(random, COMMENTS) : null,
  };
}

/** So many reports of these earthquakes, the same for the same seed; none where there is no earthquake. */
export function feltReports(earthquakes: readonly FeltEarthquake[], count: number, seed = 1): FeltReport[] {
  const random = seeded(seed);
  if (earthquakes.length === 0) return [];
  return Array.from({ length: count }, (_, index) =>
    report(random, pick(random, earthquakes), `felt-${seed}-${String(index).padStart(6, '0')}`),
  );
}
