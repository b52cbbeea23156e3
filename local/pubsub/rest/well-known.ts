import { camelCase } from '../messages.ts';
import type { Duration, Timestamp } from '../messages.ts';

/** How a type of google.protobuf is written in JSON. */
export interface WellKnown {
  /** undefined: it is no such value. */
  read(json: unknown): unknown;
  write(value: never): unknown;
}

const digits = (nanos: number): string => {
  if (!nanos) return '';
  const nine = String(nanos).padStart(9, '0');
  return `.${nine.replace(/(000){1,2}$/, '')}`;
};

const nanosOf = (fraction = ''): number => Number(fraction.padEnd(9, '0'));

const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

function readTime(json: unknown): Timestamp | undefined {
  const [, whole, fraction, zone] = TIME.exec(String(json)) ?? [];
  const ms = whole ? Date.parse(`${whole}${zone}`) : NaN;
  return Number.isNaN(ms) ? undefined : { seconds: String(ms / 1000), nanos: nanosOf(fraction) };
}

function writeTime({ seconds = '0', nanos = 0 }: Timestamp): string {
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 'YYYY-MM-DDTHH:MM:SS'.length)}${digits(nanos)}Z`;
}

const DURATION = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/;

function readDuration(json: unknown): Duration | undefined {
  const [, sign, seconds, fraction] = DURATION.exec(String(json)) ?? [];
  if (!seconds) return undefined;
  return { seconds: `${sign}${seconds}`, nanos: (sign ? -1 : 1) * nanosOf(fraction) };
}

function writeDuration({ seconds = '0', nanos = 0 }: Duration): string {
  const sign = nanos < 0 && !seconds.startsWith('-') ? '-' : '';
  return `${sign}${seconds}${digits(Math.abs(nanos))}s`;
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Types whose JSON is a text, by full name. */
export const WELL_KNOWN: Record<string, WellKnown> = {
  'google.protobuf.Timestamp': { read: readTime, write: writeTime },
  'google.protobuf.Duration': { read: readDuration, write: writeDuration },
  'google.protobuf.FieldMask': {
    read: (json) => (typeof json === 'string' ? { paths: json.split(',').filter(Boolean).map(snakeCase) } : undefined),
    write: ({ paths = [] }: { paths?: string[] }) => paths.map(camelCase).join(','),
  },
};
