import { createsView, findBigLakeNames } from './biglake-names.ts';
import type { BigLakeTables } from './biglake-tables.ts';
import { ApiError } from './emulator.ts';

/** A table as the API names it. */
export interface TableReference {
  projectId: string;
  datasetId: string;
  tableId: string;
}

/** Rewrites statements into what the emulator understands. */
export class Statements {
  readonly #catalog: string;
  readonly #tables: BigLakeTables;

  constructor(catalog: string, tables: BigLakeTables) {
    this.#catalog = catalog;
    this.#tables = tables;
  }

  /**
   * Puts native tables in the place of four-part names.
   *
   * @throws ApiError 400 for a view over one, as Google refuses it
   */
  async rewrite(sql: string): Promise<string> {
    const names = findBigLakeNames(sql, this.#catalog);
    if (names.length && createsView(sql)) {
      throw new ApiError(400, 'invalidQuery', 'Views over Apache Iceberg tables of a REST catalog are not supported');
    }
    let rewritten = sql;
    for (const name of names) rewritten = rewritten.replaceAll(name.text, await this.#tables.materialise(name));
    return rewritten;
  }
}

/** A query with a destination as a statement that writes it: the emulator ignores destinations. */
export function intoDestination(
  sql: string,
  destination: TableReference | undefined,
  writeDisposition: string | undefined,
): string {
  if (!destination || !/^\s*(?:select|with|\()/i.test(sql)) return sql;
  const name = `\`${destination.projectId}.${destination.datasetId}.${destination.tableId}\``;
  if (writeDisposition === 'WRITE_APPEND') return `INSERT INTO ${name} ${sql}`;
  return `CREATE OR REPLACE TABLE ${name} AS ${sql}`;
}
