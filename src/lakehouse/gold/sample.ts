/** Most rows of a failed assertion that the ledger keeps. */
export const SAMPLE_ROWS = 10;

/** Most characters of one value in a sample. */
const VALUE_LENGTH = 200;

/** Most characters of a sample's JSON: it is one field of a row of the ledger. */
const SAMPLE_LENGTH = 16_384;

function plain(value: unknown): unknown {
  if (typeof value === 'string') return value.length > VALUE_LENGTH ? `${value.slice(0, VALUE_LENGTH)}…` : value;
  if (typeof value === 'bigint') return value.toString();
  if (Buffer.isBuffer(value)) return plain(value.toString('base64'));
  if (Array.isArray(value)) return value.slice(0, SAMPLE_ROWS).map(plain);
  if (value === null || typeof value !== 'object') return value ?? null;
  // DATE, TIMESTAMP and others of the client come as objects with the text in `value`.
  if (Object.keys(value).length === 1 && 'value' in value) return plain(value.value);
  return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, plain(of)]));
}

/** Rows of a query as small JSON values, as many as fit. */
export function sampleOf(rows: Record<string, unknown>[]): unknown[] {
  const sample: unknown[] = [];
  let length = 0;
  for (const row of rows.slice(0, SAMPLE_ROWS).map(plain)) {
    length += JSON.stringify(row).length;
    if (length > SAMPLE_LENGTH) break;
    sample.push(row);
  }
  return sample;
}
