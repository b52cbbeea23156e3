/** Rows of tabledata.insertAll. */
export interface InsertAll {
  rows?: { insertId?: string; json: object }[];
}

/** Ids remembered per table. BigQuery promises about a minute; this keeps the newest so many. */
const REMEMBERED = 100_000;

/** Leaves out rows whose insertId a table has seen, as BigQuery's best-effort deduplication does. */
export class InsertIds {
  readonly #seen = new Map<string, Set<string>>();

  /** The rows that are new; their ids count as seen once {@link remember} is called. */
  fresh(table: string, body: InsertAll): InsertAll {
    const seen = this.#seen.get(table);
    const inBody = new Set<string>();
    const rows = (body.rows ?? []).filter(({ insertId }) => {
      if (!insertId) return true;
      if (seen?.has(insertId) || inBody.has(insertId)) return false;
      inBody.add(insertId);
      return true;
    });
    return { ...body, rows };
  }

  remember(table: string, body: InsertAll): void {
    const seen = this.#seen.get(table) ?? new Set<string>();
    this.#seen.set(table, seen);
    for (const { insertId } of body.rows ?? []) if (insertId) seen.add(insertId);
    for (const oldest of seen) {
      if (seen.size <= REMEMBERED) break;
      seen.delete(oldest);
    }
  }
}
