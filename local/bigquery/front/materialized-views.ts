import type { Emulator } from './emulator.ts';
import { isToken, tokensOf } from './sql-tokens.ts';

const REPLACING = ['CREATE', 'OR', 'REPLACE', 'MATERIALIZED', 'VIEW'];

/**
 * The emulator does not know `CREATE OR REPLACE MATERIALIZED VIEW`, which Dataform writes: the view is dropped first, and made
 * anew. Other statements stay as they are.
 */
export async function replaceMaterializedView(sql: string, emulator: Emulator): Promise<string> {
  const tokens = tokensOf(sql);
  const [create, or, replace] = tokens;
  if (!create || !or || !replace || !REPLACING.every((word, index) => isToken(tokens[index], word))) return sql;
  const name = nameFrom(sql, tokens.slice(REPLACING.length));
  const query = `DROP MATERIALIZED VIEW IF EXISTS ${name}`;
  await emulator.expect('POST', '/queries', { query, useLegacySql: false });
  return sql.slice(0, or.start) + sql.slice(replace.end);
}

/** A table's name as it stands: parts with dots between. */
function nameFrom(sql: string, tokens: ReturnType<typeof tokensOf>): string {
  let last = 0;
  while (isToken(tokens[last + 1], '.') || isToken(tokens[last + 1], '-')) last += 2;
  return sql.slice(tokens[0]?.start, tokens[last]?.end);
}
