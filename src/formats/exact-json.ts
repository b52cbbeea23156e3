/** TypeScript's library does not know it yet: a text that JSON.stringify takes over as it is. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): object };

const isOdd = (value: number): boolean => Object.is(value, -0) || !Number.isFinite(value);

function holdsOdd(value: unknown): boolean {
  if (typeof value === 'number') return isOdd(value);
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) ? value.some(holdsOdd) : Object.values(value).some(holdsOdd);
}

/** A text that JSON.parse reads as the very number: what overflowed once overflows again. */
function textOf(value: number): string {
  if (value === 0) return '-0';
  return value > 0 ? '1e999' : '-1e999';
}

const exact = (_: string, value: unknown): unknown =>
  typeof value === 'number' && isOdd(value) ? rawJSON(textOf(value)) : value;

/**
 * JSON that JSON.parse makes the very value of that it came from. JSON.stringify alone loses the sign of −0 and what overflowed, such as
 * `1e400`: a stream would make another row of it than a batch that reads the original.
 *
 * @param value as JSON.parse returned it
 */
export function exactJson(value: unknown): string {
  return JSON.stringify(value, holdsOdd(value) ? exact : undefined);
}
