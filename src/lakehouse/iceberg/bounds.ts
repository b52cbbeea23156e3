import type { ColumnType } from '../../contracts/types.ts';
import type { Value } from '../../contracts/row.ts';

/** Code points that a bound of a string keeps, as Iceberg's own default metrics mode `truncate(16)` does. */
const TRUNCATE = 16;

function fixed(bytes: number, write: (buffer: Buffer) => void): Buffer {
  const buffer = Buffer.alloc(bytes);
  write(buffer);
  return buffer;
}

/** Single-value serialisation of the Iceberg spec, appendix D. */
export function serialise(type: ColumnType, value: Exclude<Value, null>): Buffer {
  switch (type) {
    case 'boolean':
      return Buffer.from([value ? 1 : 0]);
    case 'int':
      return fixed(4, (buffer) => buffer.writeInt32LE(Number(value)));
    case 'long':
    case 'timestamptz':
      return fixed(8, (buffer) => buffer.writeBigInt64LE(BigInt(value)));
    case 'double':
      return fixed(8, (buffer) => buffer.writeDoubleLE(Number(value)));
    case 'string':
      return Buffer.from(String(value), 'utf8');
    case 'binary':
      return Buffer.from(String(value), 'hex');
  }
}

/** Least code point after another that UTF-8 can hold; undefined after the last. */
function nextCodePoint(point: number): number | undefined {
  if (point === 0xd7ff) return 0xe000;
  return point < 0x10ffff ? point + 1 : undefined;
}

function truncatedUpper(value: string): string | undefined {
  const points = [...value].slice(0, TRUNCATE).map((character) => character.codePointAt(0) ?? 0);
  while (points.length) {
    const next = nextCodePoint(points.pop() ?? 0);
    if (next !== undefined) return String.fromCodePoint(...points, next);
  }
  return undefined;
}

/** Lower bound of a column: exact, strings cut after 16 code points. */
export function lowerBound(type: ColumnType, value: Exclude<Value, null>): Buffer {
  const cut = type === 'string' ? [...String(value)].slice(0, TRUNCATE).join('') : value;
  return serialise(type, cut);
}

/** Upper bound of a column: exact, a longer string is cut and its last code point raised; undefined where that cannot be. */
export function upperBound(type: ColumnType, value: Exclude<Value, null>): Buffer | undefined {
  if (type !== 'string' || [...String(value)].length <= TRUNCATE) return serialise(type, value);
  const cut = truncatedUpper(String(value));
  return cut === undefined ? undefined : serialise(type, cut);
}
