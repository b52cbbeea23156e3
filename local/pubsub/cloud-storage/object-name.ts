import type { CloudStorageConfig } from '../resources.ts';

const DEFAULT_FORMAT = 'YYYY-MM-DDThh:mm:ss+00:00';

/** What a format is made of: parts of a time, UTC's sign, and separators. */
const TOKEN = /YYYY|YY|MM|DD|hh|mm|ss|T|Z|\+00:00|[-_:/]/y;

const REQUIRED = ['YYYY', 'MM', 'DD', 'hh', 'mm', 'ss'];

function tokensOf(format: string): string[] | undefined {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < format.length) {
    const match = TOKEN.exec(format);
    if (!match) return undefined;
    tokens.push(match[0]);
  }
  return tokens;
}

/** What is wrong with a `filenameDatetimeFormat`; undefined: nothing. */
export function datetimeProblem(format: string): string | undefined {
  const tokens = tokensOf(format);
  if (!tokens) return `"${format}" has characters that no part of a time has`;
  const kinds = tokens.map((token) => (token === 'YY' ? 'YYYY' : token === '+00:00' ? 'Z' : token));
  const count = (kind: string): number => kinds.filter((one) => one === kind).length;
  const missing = REQUIRED.find((kind) => count(kind) !== 1);
  if (missing) return `"${format}" must have ${missing} once`;
  return ['T', 'Z'].some((kind) => count(kind) > 1) ? `"${format}" has T or Z more than once` : undefined;
}

function partOf(token: string, iso: string): string {
  const [date = '', time = ''] = iso.split('T');
  const [YYYY = '', MM = '', DD = ''] = date.split('-');
  const [hh = '', mm = '', ss = ''] = time.slice(0, 8).split(':');
  const parts: Record<string, string> = { YYYY, YY: YYYY.slice(2), MM, DD, hh, mm, ss };
  return parts[token] ?? token;
}

/** Name of an object that a Cloud Storage subscription writes: prefix, time in UTC, id, suffix. */
export function archiveName(config: CloudStorageConfig, time: Date, id: string): string {
  const tokens = tokensOf(config.filenameDatetimeFormat || DEFAULT_FORMAT) ?? [];
  const text = tokens.map((token) => partOf(token, time.toISOString())).join('');
  // A format that ends in a separator brings its own.
  const separator = /[-_:/]$/.test(text) ? '' : '_';
  return `${config.filenamePrefix ?? ''}${text}${separator}${id}${config.filenameSuffix ?? ''}`;
}
