import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';

/** With U+FFFD for each lone surrogate, as UTF-8 writes it. */
function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (Array.isArray(value)) return value.map(wellFormed);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name.toWellFormed(), wellFormed(member)]));
}

/** What {@link sorted} leaves to the library. */
class Unusual extends Error {}

/** Names that no object has in the order in which they were given, or that are no name at all. */
const UNUSUAL_NAME = /^\d|^__proto__$/;

/** Names of an object as they stand, and in RFC 8785's order, which is that of sort(): UTF-16 code units. */
interface Shape {
  names: string[];
  sorted: string[];
}

/** Objects of a source are alike, so few shapes are ever seen; of more than so many all are forgotten. */
const MOST_SHAPES = 1_000;

/** The last shape of each number of names and first name. */
const shapes = new Map<string, Shape>();

function isShape({ names }: Shape, others: readonly string[]): boolean {
  for (let at = 0; at < others.length; at += 1) if (names[at] !== others[at]) return false;
  return true;
}

/** To sort the names of each record takes longer than to see that they are those of the record before it. */
function inOrder(names: string[]): string[] {
  const like = `${names.length} ${names[0] ?? ''}`;
  const known = shapes.get(like);
  if (known && isShape(known, names)) return known.sorted;
  if (names.some((name) => UNUSUAL_NAME.test(name))) throw new Unusual();
  const sorted = names.toSorted();
  if (shapes.size >= MOST_SHAPES) shapes.clear();
  shapes.set(like, { names, sorted });
  return sorted;
}

/** The value with the members of every object in RFC 8785's order. */
function sorted(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Unusual();
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(sorted);
  if (Object.getPrototypeOf(value) !== Object.prototype) throw new Unusual();
  const copy: Record<string, unknown> = {};
  for (const name of inOrder(Object.keys(value))) copy[name] = sorted((value as Record<string, unknown>)[name]);
  return copy;
}

/** Numbers and texts are in RFC 8785 as JSON.stringify writes them, which takes half of the library's time. */
function quickText(value: unknown): string | undefined {
  try {
    const text = JSON.stringify(sorted(value)) as string | undefined;
    // A lone surrogate is escaped; the library refuses it.
    return text?.includes('\\ud') ? undefined : text;
  } catch {
    return undefined; // unusual, or too deep for the stack
  }
}

function canonicalText(value: unknown): string {
  const quick = quickText(value);
  if (quick !== undefined) return quick;
  try {
    return canonicalize(value) ?? '';
  } catch {
    // RFC 8785 has no form for a lone surrogate; a record that has one must not stop all others.
    return canonicalize(wellFormed(value)) ?? '';
  }
}

/** SHA-256 in hex of the RFC 8785 form of a value. */
export function canonicalHash(value: unknown): string {
  return createHash('sha256').update(canonicalText(value)).digest('hex');
}
