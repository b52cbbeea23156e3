/** Rows of tabledata.insertAll. */
export interface InsertAll {
  rows?: { insertId?: string; json: object }[];
}

/** Ids are remembered this long and this many per table; BigQuery promises about a minute. */
const REMEMBERED_MS = 600_000;
const REMEMBERED = 100_000;

/** Leaves out rows whose insertId a table has seen, as BigQuery's best-effort deduplication does. */
export class InsertIds {
  readonly #now: () => number;
  readonly #seen = new Map<string, Map<string, number>>();
  readonly #turns = new Map<string, Promise<void>>();

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /**
   * Sends the positions of those rows that are new. Inserts into one table go one after the other: a duplicate that comes
   * while the first is under way must know how that ends.
   *
   * @param send answers whether the rows were taken; only then their ids count as seen
   */
  async insert(table: string, body: InsertAll, send: (fresh: number[]) => Promise<boolean>): Promise<void> {
    const before = this.#turns.get(table) ?? Promise.resolve();
    const turn = before.then(async () => {
      const seen = this.#current(table);
      const fresh = freshRows(seen, body);
      if (!(await send(fresh))) return;
      for (const index of fresh) {
        const id = body.rows?.[index]?.insertId;
        if (id) seen.set(id, this.#now());
      }
    });
    this.#turns.set(
      table,
      turn.catch(() => undefined),
    );
    await turn;
  }

  /** Forgets the ids of a table that is deleted, or of all of a dataset's. */
  forget(path: string): void {
    for (const table of this.#seen.keys()) if (`${table}/`.startsWith(`${path}/`)) this.#seen.delete(table);
  }

  #current(table: string): Map<string, number> {
    const seen = this.#seen.get(table) ?? new Map<string, number>();
    this.#seen.set(table, seen);
    for (const [id, time] of seen) {
      if (seen.size <= REMEMBERED && time > this.#now() - REMEMBERED_MS) break;
      seen.delete(id);
    }
    return seen;
  }
}

function freshRows(seen: ReadonlyMap<string, number>, { rows = [] }: InsertAll): number[] {
  const inBody = new Set<string>();
  return rows.flatMap(({ insertId }, index) => {
    if (!insertId) return [index];
    if (seen.has(insertId) || inBody.has(insertId)) return [];
    inBody.add(insertId);
    return [index];
  });
}
