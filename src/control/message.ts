import { cupelError } from '../errors.ts';
import type { TickInput } from '../workflows/tick.ts';

/** What somebody outside asks for: a tick at a nominal time, a backfill of a range, or that a file be taken. The message of `cupel-control`. */
export type ControlMessage =
  | (TickInput & { nominalTime: string })
  /** A bare date begins at midnight of the contract's time zone. */
  | { kind: 'backfill'; source: string; from: string; to: string }
  /** A file of the inbox was written. */
  | { kind: 'file'; bucket: string; name: string; generation: string };

type Kind = ControlMessage['kind'];

type Field = 'source' | 'feed' | 'nominalTime' | 'from' | 'to' | 'date' | 'bucket' | 'name' | 'generation';

const FIELDS: Record<Kind, { needs: Field[]; takes: Field[] }> = {
  ingest: { needs: ['source', 'feed'], takes: ['nominalTime'] },
  pipeline: { needs: ['source'], takes: ['nominalTime'] },
  backfill: { needs: ['source', 'from', 'to'], takes: [] },
  file: { needs: ['bucket', 'name', 'generation'], takes: [] },
  nightlyGold: { needs: [], takes: ['nominalTime', 'date'] },
  maintain: { needs: ['source'], takes: ['nominalTime'] },
  reconcile: { needs: ['source'], takes: ['nominalTime'] },
  monitor: { needs: [], takes: ['nominalTime'] },
};

/** As contracts name sources and feeds; these names become parts of ids and of a path. */
const NAME = /^[a-z0-9][a-z0-9_.]{0,99}$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/;
const DAY_MS = 86_400_000;

/** Details never hold what was sent: the text may be logged. */
const refuse = (expected: string): Error => cupelError('CUP_REQUEST_INVALID', { expected });

/** `Date` takes the 30th of February for the 2nd of March. */
function isDay(text: string): boolean {
  const time = Date.parse(text.slice(0, 10));
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text.slice(0, 10));
}

function timeOf(text: string, name: string): number {
  const time = (DATE.test(text) || TIME.test(text)) && isDay(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(time)) throw refuse(`${name} as 2025-05-04 or 2025-05-04T13:00:00Z`);
  return time;
}

const wholeSecond = (time: number): string => `${new Date(time).toISOString().slice(0, 19)}Z`;

function nameOf(text: string, field: string): string {
  if (!NAME.test(text)) throw refuse(`${field}, a name of lower-case letters, digits, _ and .`);
  return text;
}

/** A date stays one, since only the contract knows its midnight. */
function momentOf(text: string, field: string): string {
  const time = timeOf(text, field);
  return DATE.test(text) ? text : new Date(time).toISOString().replace('.000Z', 'Z');
}

function dateOf(text: string, field: string): string {
  if (!DATE.test(text) || !isDay(text)) throw refuse(`${field} as 2025-05-04`);
  return text;
}

/** As Cloud Storage has them. */
const BUCKET = /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/;
const GENERATION = /^[1-9]\d{0,18}$/;

function bucketOf(text: string, field: string): string {
  if (!BUCKET.test(text)) throw refuse(`${field}, the name of a bucket`);
  return text;
}

function objectOf(text: string, field: string): string {
  if (!text || Buffer.byteLength(text) > 1024 || /[\r\n]/.test(text)) throw refuse(`${field}, the name of an object`);
  return text;
}

function generationOf(text: string, field: string): string {
  if (!GENERATION.test(text)) throw refuse(`${field}, the digits of an object's generation`);
  return text;
}

const READERS: Record<Field, (text: string, field: string) => string> = {
  source: nameOf,
  feed: nameOf,
  nominalTime: (text, field) => wholeSecond(timeOf(text, field)),
  from: momentOf,
  to: momentOf,
  date: dateOf,
  bucket: bucketOf,
  name: objectOf,
  generation: generationOf,
};

type Read = Partial<Record<Field, string>>;

function readFields(kind: Kind, body: Record<string, unknown>): Read {
  const { needs, takes } = FIELDS[kind];
  const known: string[] = ['kind', ...needs, ...takes];
  if (Object.keys(body).some((name) => !known.includes(name)))
    throw refuse(`no field for ${kind} but ${known.join(', ')}`);
  const read: Read = {};
  for (const field of [...needs, ...takes]) {
    const value = body[field];
    if (value === undefined && takes.includes(field)) continue;
    if (typeof value !== 'string') throw refuse(`a text for ${field}`);
    read[field] = READERS[field](value, field);
  }
  return read;
}

function backfillOf({ source = '', from = '', to = '' }: Read): ControlMessage {
  // A date and a time can be compared only where the contract's time zone is known.
  if (DATE.test(from) === DATE.test(to) && Date.parse(from) >= Date.parse(to)) throw refuse('from before to');
  return { kind: 'backfill', source, from, to };
}

/** Gold of a day is what a tick makes at the moment when the day has ended. */
function nominalTimeOf({ nominalTime, date }: Read, defaultTime: number): string {
  if (nominalTime !== undefined && date !== undefined) throw refuse('either nominalTime or date');
  return nominalTime ?? wholeSecond(date === undefined ? defaultTime : Date.parse(date) + DAY_MS);
}

/**
 * Reads what somebody outside asks for, with every time in its one form, so that the same request is the same workflow.
 *
 * @param defaultTime milliseconds since 1970: the nominal time where none is given
 * @throws CupelError CUP_REQUEST_INVALID saying what was expected, never what was found
 */
export function readControl(body: unknown, defaultTime: number): ControlMessage {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw refuse('a JSON object');
  const { kind } = body as { kind?: unknown };
  if (typeof kind !== 'string' || !Object.hasOwn(FIELDS, kind))
    throw refuse(`kind to be one of ${Object.keys(FIELDS).join(', ')}`);
  const known = kind as Kind;
  const read = readFields(known, body as Record<string, unknown>);
  if (known === 'backfill') return backfillOf(read);
  if (known === 'file') return { kind: 'file', bucket: '', name: '', generation: '', ...read };
  const { source, feed } = read;
  const nominalTime = nominalTimeOf(read, defaultTime);
  return { kind: known, ...(source ? { source } : {}), ...(feed ? { feed } : {}), nominalTime };
}

/**
 * Reads JSON, whatever type of content it is said to be: Cloud Scheduler says `application/octet-stream`.
 *
 * @throws CupelError CUP_REQUEST_INVALID
 */
export function parseJson(bytes: Uint8Array | undefined): unknown {
  try {
    return JSON.parse(Buffer.from(bytes ?? []).toString('utf8'));
  } catch {
    throw refuse('JSON'); // the parser's own text quotes what it found
  }
}

/**
 * Reads the time that Cloud Scheduler meant, which stays the same when it sends a request again.
 *
 * @param header `X-CloudScheduler-ScheduleTime`: RFC 3339, UTC or with an offset
 * @throws CupelError CUP_REQUEST_INVALID
 */
export function scheduledTime(header: string): number {
  return timeOf(header, 'X-CloudScheduler-ScheduleTime');
}
