import type { PullFeed } from '../../contracts/index.ts';
import { hourOf, partitionOf } from '../bronze/index.ts';

/** A half-open range, milliseconds since 1970. */
export interface Span {
  from: number;
  to: number;
}

/** A range of time that is pulled as one: its answers are one partition, that of the hour in which it begins. */
export interface PullWindow {
  /** Name of the pulled feed. */
  feed: string;
  /** ISO 8601. Included. */
  from: string;
  /** Not included. */
  to: string;
}

/** A window as numbers. */
export const spanOf = ({ from, to }: Pick<PullWindow, 'from' | 'to'>): Span => ({
  from: Date.parse(from),
  to: Date.parse(to),
});

/** The windows of a feed that touch a span, in order. They begin at multiples of their length, so that every plan cuts alike. */
export function windowsOf({ name, windowSeconds }: PullFeed, { from, to }: Span): PullWindow[] {
  const length = windowSeconds * 1000;
  const windows: PullWindow[] = [];
  for (let at = Math.floor(from / length) * length; at < to; at += length)
    windows.push({ feed: name, from: new Date(at).toISOString(), to: new Date(at + length).toISOString() });
  return windows;
}

/** Partition of a window's answers. */
export const windowPartition = ({ feed, from }: PullWindow): string =>
  partitionOf({ feed, hour: hourOf(new Date(from)) });
