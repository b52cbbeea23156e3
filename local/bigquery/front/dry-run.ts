import { findPaths } from './biglake-names.ts';
import type { Emulator } from './emulator.ts';

/** Bytes of a value by type (Google Cloud, "Data size calculation"); a null has none. */
const WIDTHS: Record<string, number> = {
  INTEGER: 8,
  INT64: 8,
  FLOAT: 8,
  FLOAT64: 8,
  BOOLEAN: 1,
  BOOL: 1,
  TIMESTAMP: 8,
  DATE: 8,
  TIME: 8,
  DATETIME: 8,
  NUMERIC: 16,
  BIGNUMERIC: 32,
};

interface Field {
  name: string;
  type: string;
  mode?: string;
}

interface TableResource {
  schema?: { fields?: Field[] };
  view?: { query?: string };
}

/** Views on views end somewhere. */
const DEEPEST = 10;

/**
 * Bytes that a statement would read: those of every column of every table that it names, in the sizes that Google counts. Google
 * leaves out columns and partitions that are not needed, so this is an upper bound.
 */
export async function bytesRead(sql: string, emulator: Emulator, depth = 0): Promise<number> {
  const seen = new Set<string>();
  let bytes = 0;
  for (const parts of findPaths(sql)) {
    if (parts.length > 3 || (parts.length === 3 && parts[0] !== emulator.projectId)) continue;
    const [dataset, table] = parts.slice(-2);
    if (dataset === undefined || table === undefined || seen.has(`${dataset}.${table}`)) continue;
    seen.add(`${dataset}.${table}`);
    // A path may as well be a column of an alias; then there is no such table.
    const found = await emulator.request('GET', `/datasets/${dataset}/tables/${encodeURIComponent(table)}`);
    if (found.status >= 300) continue;
    const { schema, view } = found.body as TableResource;
    if (view?.query && depth < DEEPEST) bytes += await bytesRead(view.query, emulator, depth + 1);
    else if (!view) bytes += await sizeOf(`${dataset}.${table}`, schema?.fields ?? [], emulator);
  }
  return bytes;
}

async function sizeOf(table: string, fields: Field[], emulator: Emulator): Promise<number> {
  if (!fields.length) return 0;
  const query = `SELECT ${fields.map(sizeSql).join(' + ')} AS bytes FROM \`${emulator.projectId}.${table}\``;
  const { rows } = await emulator.expect('POST', '/queries', { query, useLegacySql: false });
  return Number((rows as { f: { v: string | null }[] }[] | undefined)?.[0]?.f[0]?.v ?? 0);
}

function sizeSql({ name, type, mode }: Field): string {
  const width = mode === 'REPEATED' ? undefined : WIDTHS[type];
  if (width !== undefined) return `COUNT(\`${name}\`) * ${width}`;
  const text =
    mode !== 'REPEATED' && ['STRING', 'BYTES'].includes(type) ? `\`${name}\`` : `TO_JSON_STRING(\`${name}\`)`;
  return `COUNT(\`${name}\`) * 2 + COALESCE(SUM(BYTE_LENGTH(${text})), 0)`;
}
