/** A line as it stands in the file, and its fields; none where it breaks RFC 4180. */
export interface CsvLine {
  raw: string;
  fields?: string[];
}

/** A part of the text that ends before `end`. */
interface Part<T> {
  value: T;
  end: number;
}

const QUOTE = '"';
const isLineEnd = (character: string | undefined): boolean => character === '\r' || character === '\n';

/** A field that begins with a quote; undefined where that is never closed. Two quotes inside are one. */
function quotedField(text: string, start: number): Part<string> | undefined {
  let value = '';
  for (let from = start + 1; ;) {
    const close = text.indexOf(QUOTE, from);
    if (close < 0) return undefined;
    value += text.slice(from, close);
    if (text[close + 1] !== QUOTE) return { value, end: close + 1 };
    value += QUOTE;
    from = close + 2;
  }
}

/** A field without quotes; undefined where one stands in it. */
function plainField(text: string, start: number, delimiter: string): Part<string> | undefined {
  let end = start;
  while (end < text.length && text[end] !== delimiter && !isLineEnd(text[end])) {
    if (text[end] === QUOTE) return undefined;
    end += 1;
  }
  return { value: text.slice(start, end), end };
}

/** The fields of one line, which may have line breaks between quotes; undefined where it breaks RFC 4180. */
function readFields(text: string, start: number, delimiter: string): Part<string[]> | undefined {
  const value: string[] = [];
  for (let at = start; ; at += 1) {
    const field = text[at] === QUOTE ? quotedField(text, at) : plainField(text, at, delimiter);
    if (!field) return undefined;
    value.push(field.value);
    at = field.end;
    if (at === text.length || isLineEnd(text[at])) return { value, end: at };
    if (text[at] !== delimiter) return undefined; // text behind a closing quote
  }
}

function endOfLine(text: string, start: number): number {
  let end = start;
  while (end < text.length && !isLineEnd(text[end])) end += 1;
  return end;
}

/**
 * Lines of CSV (RFC 4180), without their line ends (CRLF, LF or CR, also mixed); empty ones are left out. One that breaks the rules
 * costs itself only: reading goes on behind its first line end, so that a quote that is never closed does not swallow the file.
 * (Parsers that can skip errors lose what follows, and say only the beginning of what they skip.)
 *
 * @param delimiter one character
 */
export function csvLines(text: string, delimiter: string): CsvLine[] {
  const lines: CsvLine[] = [];
  for (let at = 0; at < text.length;) {
    const read = readFields(text, at, delimiter);
    const end = read?.end ?? endOfLine(text, at);
    if (end > at) lines.push({ raw: text.slice(at, end), ...(read ? { fields: read.value } : {}) });
    at = text.startsWith('\r\n', end) ? end + 2 : end + 1;
  }
  return lines;
}
