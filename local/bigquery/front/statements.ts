import { findBigLakeNames } from './biglake-names.ts';
import type { BigLakeCatalog, BigLakeName } from './biglake-names.ts';
import type { BigLakeTables } from './biglake-tables.ts';
import { ApiError } from './api-error.ts';

/** Rewrites statements into what the emulator understands. */
export class Statements {
  readonly #catalog: BigLakeCatalog;
  readonly #tables: BigLakeTables;

  constructor(catalog: BigLakeCatalog, tables: BigLakeTables) {
    this.#catalog = catalog;
    this.#tables = tables;
  }

  /**
   * Puts native tables in the place of four-part names.
   *
   * @throws ApiError 400 for a view over one, as Google refuses it, and for a time that is no literal; 404 for no table
   */
  async rewrite(sql: string): Promise<string> {
    const names = findBigLakeNames(sql, this.#catalog);
    if (names.some(({ inView }) => inView)) throw viewRefused();
    const natives: string[] = [];
    for (const name of names) natives.push(await this.#tables.materialise(name));
    return replaceNames(sql, names, natives);
  }

  /** @throws ApiError 400 for the query of a view that is made by the API and reads a four-part name */
  refuseView(query: string): void {
    if (findBigLakeNames(query, this.#catalog).length) throw viewRefused();
  }
}

function viewRefused(): ApiError {
  return new ApiError(400, 'invalidQuery', 'Views over BigLake Iceberg tables of a REST catalog are not supported');
}

/** Puts one text in the place of each name and leaves out the names' times. */
export function replaceNames(sql: string, names: readonly BigLakeName[], natives: readonly string[]): string {
  let rewritten = '';
  let done = 0;
  for (const [index, { start, end, asOf }] of names.entries()) {
    rewritten += sql.slice(done, start) + (natives[index] ?? '');
    done = end;
    if (!asOf) continue;
    rewritten += sql.slice(done, asOf.start);
    done = asOf.end;
  }
  return rewritten + sql.slice(done);
}
