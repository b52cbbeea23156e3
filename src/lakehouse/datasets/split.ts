import { cupelError } from '../../errors.ts';

/** The values that Vertex AI takes in a split column, case-sensitive. */
export const SPLITS = ['TRAIN', 'VALIDATE', 'TEST'] as const;
export type Split = (typeof SPLITS)[number];

/** Whole percents of the three splits, in their order; together 100. */
export type SplitPercents = readonly [train: number, validate: number, test: number];

/**
 * Reads `80,10,10`. Each is above 0: Vertex AI takes all three values or none.
 *
 * @throws CupelError CUP_DATASET_REFUSED
 */
export function readPercents(text: string): SplitPercents {
  const [train = 0, validate = 0, test = 0, ...more] = text.split(',').map(Number);
  const percents = [train, validate, test] as const;
  const whole = percents.every((percent) => Number.isInteger(percent) && percent > 0);
  if (!whole || more.length || train + validate + test !== 100)
    throw cupelError('CUP_DATASET_REFUSED', {
      expected: 'three whole percents above 0 that add up to 100',
      found: text,
    });
  return percents;
}

/** How the two SQL dialects name the same thing. */
export type Dialect = 'bigquery' | 'duckdb';

/** The text of a key as SQL: of several columns, joined by `|`. */
export function keySql(key: readonly string[], cast: (column: string) => string): string {
  return key.map(cast).join(` || '|' || `);
}

/**
 * The split of a row as SQL, by nothing but its key, so that a row stays in its split at every rebuild: the first 8 hex
 * digits of the SHA-256 of the key's text, as a number, modulo 100 (docs/datasets.md).
 *
 * @param key SQL of the key's text
 */
export function splitSql(dialect: Dialect, key: string, [train, validate]: SplitPercents): string {
  const number =
    dialect === 'bigquery'
      ? `MOD(CAST(CONCAT('0x', SUBSTR(TO_HEX(SHA256(${key})), 1, 8)) AS INT64), 100)`
      : `(('0x' || substr(sha256(${key}), 1, 8))::bigint % 100)`;
  return `CASE WHEN ${number} < ${train} THEN 'TRAIN' WHEN ${number} < ${train + validate} THEN 'VALIDATE' ELSE 'TEST' END`;
}
