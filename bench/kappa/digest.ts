import { createHash } from 'node:crypto';
import { DuckDBInstance } from '@duckdb/node-api';
import type { CompiledContract } from '../../src/contracts/index.ts';

/** What Parquet files hold, whoever wrote them. */
export interface TableDigest {
  rows: number;
  /** Keys; one row each where it equals `rows`. */
  keys: number;
  /** SHA-256 of all rows, sorted by key: the contract's columns and the first version. */
  digest: string;
}

/** Reads files by column name; rows of equal content give the same digest, however they are split and in whatever order. */
export async function digestOf(contract: CompiledContract, files: string[]): Promise<TableDigest> {
  const times = new Set(contract.columns.filter(({ type }) => type === 'timestamptz').map(({ name }) => name));
  times.add('_first_version');
  const names = [...contract.columns.map(({ name }) => name), '_first_version'];
  const columns = names.map((name) => (times.has(name) ? `epoch_us("${name}")` : `"${name}"`));
  const key = contract.key[0] ?? '';
  const list = files.map((file) => `'${file}'`).join(', ');
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const result = await connection.stream(
      `select ${columns.join(', ')} from read_parquet([${list}], union_by_name = true) order by "${key}"`,
    );
    const hash = createHash('sha256');
    const keys = new Set<unknown>();
    let rows = 0;
    for (let chunk = await result.fetchChunk(); chunk?.rowCount; chunk = await result.fetchChunk()) {
      for (const row of chunk.getRows()) {
        keys.add(row[names.indexOf(key)]);
        rows += 1;
        hash.update(JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)));
      }
    }
    return { rows, keys: keys.size, digest: hash.digest('hex') };
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/**
 * Whether all hold the same.
 *
 * @throws Error naming those that differ, or a contender with several rows of a key
 */
export function checkSame(digests: Map<string, TableDigest>): TableDigest {
  const [first, ...others] = [...digests.values()];
  if (!first?.rows) throw new Error('there are no rows to compare');
  const text = [...digests].map(([name, { rows, keys, digest }]) => `${name}: ${rows} rows, ${keys} keys, ${digest}`);
  const same = others.every(({ rows, digest }) => rows === first.rows && digest === first.digest);
  const oneEach = [...digests.values()].every(({ rows, keys }) => rows === keys);
  if (!same || !oneEach) throw new Error(`the contenders' tables differ\n${text.join('\n')}`);
  return first;
}
