import { makeProperties, significanceOf, titleOf } from './properties.ts';
import type { Properties } from './properties.ts';
import { below, chance, round } from './random.ts';
import type { Random } from './random.ts';

/** One content of an event. Two may claim the same `updated`. */
export interface Version {
  /** From when on the feed shows it, milliseconds since 1970. */
  visible: number;
  updated: number;
  properties: Properties;
  /** Degrees east, degrees north, kilometres down. */
  coordinates: [number, number, number];
}

/** An earthquake and what the feed says of it over time. */
export interface SimulatedEvent {
  id: string;
  time: number;
  /** In the order in which the feed shows them. */
  versions: Version[];
  /** From then on, for a while, the feed shows the version before once more. */
  relapseAt: number | undefined;
}

const MINUTE = 60_000;

/** From the last version to a relapse: longer than six hours, so that a poll of the daily feed has shown that version first. */
const RELAPSE_AFTER_MS = 390 * MINUTE;

/** Minutes until the feed shows an event: mostly few, some past every hourly poll, some most of a day. */
function delay(random: Random): number {
  if (chance(random, 0.03)) return (18 + below(random, 5)) * 60;
  if (chance(random, 0.05)) return 65 + below(random, 180);
  return 2 + below(random, 12);
}

function place(random: Random): [number, number, number] {
  const depth = round(random() * 40 - 3, chance(random, 0.2) ? 0 : 2);
  return [round(random() * 360 - 180, 4), round(random() * 170 - 85, 4), depth];
}

/** The same properties with another magnitude and what follows from it; a title that is missing stays missing. */
function withMagnitude(before: Properties, mag: number | null): Properties {
  const after = { ...before, mag, sig: significanceOf(mag) };
  return 'title' in before ? { ...after, title: titleOf(mag, String(before.place)) } : after;
}

function revise(random: Random, before: Version, visible: number): Version {
  const { mag, felt } = before.properties;
  const next = typeof mag === 'number' ? round(mag + random() * 0.4 - 0.2, 2) : null;
  // Within the ten minutes that lie between versions at least, so that `updated` always rises.
  const updated = visible - below(random, 5 * MINUTE);
  const status = chance(random, 0.1) ? 'REVIEWED' : 'reviewed';
  const reports = chance(random, 0.4) ? Number(felt) + 1 + below(random, 9) : (felt as number | null);
  return {
    ...before,
    visible,
    updated,
    properties: { ...withMagnitude(before.properties, next), updated, status, felt: reports },
  };
}

/** Another content that claims the same version. */
function tie(before: Version, visible: number): Version {
  const { mag } = before.properties;
  const other = withMagnitude(before.properties, typeof mag === 'number' ? round(mag + 0.05, 2) : null);
  return { ...before, visible, properties: { ...other, rms: round(Number(other.rms) + 0.1, 2) } };
}

function makeVersions(random: Random, first: Version): Version[] {
  const all = [first];
  let last = first;
  while (all.length < 4 && chance(random, 0.45)) {
    last = revise(random, last, last.visible + (10 + below(random, 9 * 60)) * MINUTE);
    all.push(last);
  }
  if (chance(random, 0.06)) all.push(tie(last, last.visible + 45 * MINUTE));
  return all;
}

/** Makes one event. */
export function makeEvent(random: Random, index: number, time: number): SimulatedEvent {
  const visible = time + delay(random) * MINUTE;
  const updated = visible - MINUTE;
  const properties = makeProperties(random, `sim${String(index).padStart(6, '0')}`, time, updated);
  const versions = makeVersions(random, { visible, updated, properties, coordinates: place(random) });
  const last = versions.at(-1) ?? { visible };
  const relapses = versions.length > 1 && chance(random, 0.15);
  return {
    id: `${properties.net}${properties.code}`,
    time,
    versions,
    relapseAt: relapses ? last.visible + RELAPSE_AFTER_MS : undefined,
  };
}
