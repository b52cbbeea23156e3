const MAX_MILLIS = 8.64e15;

/** Milliseconds since 1970 to microseconds; undefined where the number is no time that a Date can hold (ECMA-262 §21.4.1.1). */
export function millisToMicros(value: unknown): bigint | undefined {
  if (typeof value !== 'number' || !Number.isInteger(value) || Math.abs(value) > MAX_MILLIS) return undefined;
  return BigInt(value) * 1000n;
}

// ISO 8601 calls midnight 24:00 too, and so does Date.parse; RFC 3339 does not.
const RFC_3339 = /^(\d{4}-\d{2}-\d{2})[Tt ]((?!24)\d{2}:\d{2}:\d{2})(?:\.(\d+))?([Zz]|[+-]\d{2}:\d{2})$/;

/**
 * A time as RFC 3339 has it to microseconds since 1970; digits beyond are cut off. Undefined where it is none, or where the day
 * does not exist.
 */
export function rfc3339ToMicros(value: unknown): bigint | undefined {
  const [, day, time, fraction = '', offset] = (typeof value === 'string' && RFC_3339.exec(value)) || [];
  if (!day || !time || !offset) return undefined;
  const millis = Date.parse(`${day}T${time}${offset.toUpperCase()}`);
  // Date.parse takes 30 February as 2 March: a day that does not exist is not the day that comes back.
  const same = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(millis) || Number.isNaN(same.getTime()) || same.toISOString().slice(0, 10) !== day) return undefined;
  return BigInt(millis) * 1000n + BigInt(fraction.slice(0, 6).padEnd(6, '0'));
}

/** Hour of a time in microseconds since 1970, `YYYY-MM-DDTHH`. */
export function hourOfMicros(micros: bigint): string {
  // Number's division, since bigint's cuts towards 1970 and would put the last moment of 1969 into the first hour of 1970.
  return new Date(Math.floor(Number(micros) / 1000)).toISOString().slice(0, 13);
}
