import { isToken, tokensOf } from './sql-tokens.ts';
import type { Token } from './sql-tokens.ts';

/** Part of a statement: from `start` up to but not including `end`. */
export interface Span {
  start: number;
  end: number;
}

/** A four-part name in a statement: `project.catalog.namespace.table`, perhaps with a time. */
export interface BigLakeName extends Span {
  namespace: string;
  table: string;
  /** Milliseconds since 1970 of `FOR SYSTEM_TIME AS OF`; NaN: a time that is no literal; undefined: now. */
  asOfMs: number | undefined;
  /** The clause that says so. */
  asOf: Span | undefined;
  /** Whether the name's own statement makes a view. */
  inView: boolean;
}

/** Whose four-part names are meant. */
export interface BigLakeCatalog {
  projectId: string;
  name: string;
}

/** A dotted path that begins at a token, and the index of the token after it. */
interface Path {
  parts: string[];
  next: number;
}

const TIMESTAMP =
  /^(\d{4}-\d\d?-\d\d?)(?:[ T](\d\d?:\d\d?(?::\d\d?(?:\.\d{0,9})?)?))?\s*(Z|UTC|[+-]\d\d?(?::?\d\d)?)?$/i;

/** A timestamp of BigQuery's canonical form, as whole milliseconds; NaN: a named time zone, or none at all. */
export function timestampMillis(literal: string): number {
  const [, date, time = '00:00', zone = 'Z'] = TIMESTAMP.exec(literal.trim()) ?? [];
  if (!date) return Number.NaN;
  const pad = (text: string): string => text.replace(/(?<!\d|\.)\d(?!\d)/g, '0$&');
  const [, sign, hours = '0', minutes = '00'] = /^([+-])(\d\d?):?(\d\d)?$/.exec(zone) ?? [];
  const offset = sign ? `${sign}${hours.padStart(2, '0')}:${minutes}` : 'Z';
  const [clock = '', fraction = ''] = pad(time)
    .replace(/^(\d\d:\d\d)$/, '$1:00')
    .split('.');
  return Date.parse(`${pad(date)}T${clock}.${fraction.slice(0, 3).padEnd(3, '0')}${offset}`);
}

/** Every four-part name of a catalog in a statement or script, in order. */
export function findBigLakeNames(sql: string, catalog: BigLakeCatalog): BigLakeName[] {
  const tokens = tokensOf(sql);
  const names: BigLakeName[] = [];
  for (let at = 0; at < tokens.length;) {
    const path = pathAt(tokens, at);
    const [project, inCatalog, namespace, table, ...more] = path?.parts ?? [];
    if (path && namespace && table && !more.length && project === catalog.projectId && inCatalog === catalog.name) {
      const asOf = asOfAt(tokens, path.next);
      names.push({
        start: (tokens[at] as Token).start,
        end: (tokens[path.next - 1] as Token).end,
        namespace,
        table,
        asOfMs: asOf?.ms,
        asOf: asOf?.span,
        inView: createsView(statementAround(tokens, at)),
      });
    }
    at = path?.next ?? at + 1;
  }
  return names;
}

/** Every dotted path of a statement, tables as well as columns, as its parts. */
export function findPaths(sql: string): string[][] {
  const tokens = tokensOf(sql);
  const paths: string[][] = [];
  for (let at = 0; at < tokens.length;) {
    const path = pathAt(tokens, at);
    if (path && path.parts.length > 1) paths.push(path.parts);
    at = path?.next ?? at + 1;
  }
  return paths;
}

/** A path of words and quoted parts; a quoted part may hold several, and an unquoted project may hold dashes. */
function pathAt(tokens: Token[], from: number): Path | undefined {
  const parts: string[] = [];
  let at = from;
  for (;;) {
    const token = tokens[at];
    if (token?.kind === 'quoted') {
      parts.push(...token.text.slice(1, -1).split('.'));
      at += 1;
    } else if (token?.kind === 'name') {
      let end = at;
      while (isToken(tokens[end + 1], '-') && tokens[end + 2]?.kind === 'name' && adjacent(tokens, end, end + 2))
        end += 2;
      parts.push(
        ...[
          tokens
            .slice(at, end + 1)
            .map(({ text }) => text)
            .join(''),
        ],
      );
      at = end + 1;
    } else return undefined;
    if (!isToken(tokens[at], '.') || (tokens[at + 1]?.kind !== 'name' && tokens[at + 1]?.kind !== 'quoted')) break;
    at += 1;
  }
  return { parts, next: at };
}

function adjacent(tokens: Token[], from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (tokens[at]?.end !== tokens[at + 1]?.start) return false;
  return true;
}

/** The clause FOR SYSTEM_TIME AS OF of a table whose name ends before the token; an alias may stand between. */
function asOfAt(tokens: Token[], next: number): { ms: number; span: Span } | undefined {
  let at = next;
  if (isToken(tokens[at], 'AS')) at += 2;
  else if (!isToken(tokens[at], 'FOR') && isToken(tokens[at + 1], 'FOR')) at += 1;
  const words = isToken(tokens[at + 1], 'SYSTEM_TIME') ? ['FOR', 'SYSTEM_TIME'] : ['FOR', 'SYSTEM', 'TIME'];
  words.push('AS', 'OF');
  if (!words.every((word, index) => isToken(tokens[at + index], word))) return undefined;
  const { ms, next: end } = timeAt(tokens, at + words.length);
  return { ms, span: { start: (tokens[at] as Token).start, end: (tokens[end - 1] as Token).end } };
}

/** `TIMESTAMP "…"`, `TIMESTAMP("…")` or CURRENT_TIMESTAMP; anything else is NaN. */
function timeAt(tokens: Token[], at: number): { ms: number; next: number } {
  const called = isToken(tokens[at + 1], '(');
  if (isToken(tokens[at], 'CURRENT_TIMESTAMP') && continuesNot(tokens[at + (called ? 3 : 1)]))
    return { ms: Number.POSITIVE_INFINITY, next: at + (called ? 3 : 1) };
  const literal = tokens[at + (called ? 2 : 1)];
  const closed = !called || isToken(tokens[at + 3], ')');
  const next = at + (called ? 4 : 2);
  if (!isToken(tokens[at], 'TIMESTAMP') || literal?.kind !== 'string' || !closed || !continuesNot(tokens[next]))
    return { ms: Number.NaN, next: at };
  return { ms: timestampMillis(literal.text.replace(/^["']{1,3}|["']{1,3}$/g, '')), next };
}

/** Whether an expression is over before the token. */
function continuesNot(token: Token | undefined): boolean {
  return token?.kind !== 'mark' || [')', ',', ';', '|'].includes(token.text);
}

function statementAround(tokens: Token[], at: number): Token[] {
  const starts = tokens.findLastIndex((token, index) => index < at && isToken(token, ';')) + 1;
  return tokens.slice(starts, at);
}

/** Whether a statement that begins like this makes a view. */
function createsView(tokens: Token[]): boolean {
  return tokens.some((token, index) => {
    if (!isToken(token, 'CREATE')) return false;
    let at = index + 1;
    if (isToken(tokens[at], 'OR') && isToken(tokens[at + 1], 'REPLACE')) at += 2;
    if (isToken(tokens[at], 'MATERIALIZED')) at += 1;
    return isToken(tokens[at], 'VIEW');
  });
}
