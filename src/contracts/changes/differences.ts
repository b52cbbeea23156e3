import canonicalize from 'canonicalize';
import type { Difference } from './types.ts';

/** Whether two values are the same JSON, whatever the order of their members. */
export const isSame = (a: unknown, b: unknown): boolean => canonicalize(a) === canonicalize(b);

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

function textOf(value: unknown): string {
  if (value === undefined) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** `double became string`. */
export const became = (from: unknown, to: unknown): string => `${textOf(from)} became ${textOf(to)}`;

/** A difference with both values; one that is absent is undefined. */
export interface ValueDifference extends Difference {
  from: unknown;
  to: unknown;
}

/** What differs between two values, member by member of objects; an array is one value. */
export function differences(path: string, from: unknown, to: unknown): ValueDifference[] {
  if (isSame(from, to)) return [];
  if (!isObject(from) || !isObject(to)) return [{ path, what: became(from, to), from, to }];
  const names = new Set([...Object.keys(from), ...Object.keys(to)]);
  return [...names].flatMap((name) => differences(`${path}.${name}`, from[name], to[name]));
}

/** Two lists, matched by the names of their elements. */
export interface Matched<T> {
  added: T[];
  removed: T[];
  kept: { from: T; to: T }[];
  /** Whether the elements of both stand in another order. */
  moved: boolean;
}

/** Matches the elements of two lists by name; each name is there once in either. */
export function matchByName<T>(from: readonly T[], to: readonly T[], nameOf: (of: T) => string): Matched<T> {
  const byName = (list: readonly T[]): Map<string, T> => new Map(list.map((of) => [nameOf(of), of]));
  const [before, after] = [byName(from), byName(to)];
  const kept = from.flatMap((of) => {
    const now = after.get(nameOf(of));
    return now === undefined ? [] : [{ from: of, to: now }];
  });
  const order = to.map(nameOf).filter((name) => before.has(name));
  return {
    added: to.filter((of) => !before.has(nameOf(of))),
    removed: from.filter((of) => !after.has(nameOf(of))),
    kept,
    moved: kept.some((pair, index) => nameOf(pair.from) !== order[index]),
  };
}

/** Whether a change only says what was the default, or no longer says it. */
export const saysDefault = ({ from, to }: ValueDifference, byDefault: unknown): boolean =>
  isSame(from ?? byDefault, to ?? byDefault);
