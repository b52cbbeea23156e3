import { canonicalHash } from '../canonical.ts';
import type { Row, Value } from '../row.ts';
import type { CompiledContract } from '../types.ts';
import { compareCheap, compareOrder } from './order.ts';

interface Entry {
  row: Row;
  /** The raw record, kept until the row is sealed. */
  raw: unknown;
  firstVersion: Value;
}

function seal(entry: Entry): void {
  if (entry.row._record_hash === '') entry.row._record_hash = canonicalHash(entry.raw);
}

function lesser(a: Value, b: Value): Value {
  return a !== null && b !== null && b < a ? b : a;
}

/**
 * Keeps, per key, the maximum row under the total order and the minimum of `_first_version`: the Kappa law, in memory.
 * The record hash is taken once per survivor and on ties only: for every record it would cost a third of the parsing.
 */
export class Reducer {
  readonly #contract: CompiledContract;
  readonly #key: string;
  readonly #replaced: (row: Row) => void;
  readonly #entries = new Map<Value, Entry>();

  /** @param replaced told of each row that another one of its key replaces, so that every record can be accounted for */
  constructor(contract: CompiledContract, replaced: (row: Row) => void = () => undefined) {
    this.#contract = contract;
    this.#replaced = replaced;
    this.#key = contract.key[0] ?? '';
  }

  /** Number of keys held. */
  get size(): number {
    return this.#entries.size;
  }

  /** Takes a row; `raw` is the record it came from, not needed where the row has its hash already. */
  add(row: Row, raw?: unknown): void {
    const key = row[this.#key] ?? null;
    const incoming: Entry = { row, raw, firstVersion: row._first_version ?? null };
    const held = this.#entries.get(key);
    if (!held) {
      this.#entries.set(key, incoming);
      return;
    }
    const winner = this.#wins(incoming, held) ? incoming : held;
    winner.firstVersion = lesser(held.firstVersion, incoming.firstVersion);
    this.#replaced((winner === held ? incoming : held).row);
    if (winner !== held) this.#entries.set(key, winner);
  }

  /** The reduced rows, sealed, in order of first sight; the reducer is empty afterwards. */
  drain(): Row[] {
    const rows: Row[] = [];
    for (const entry of this.#entries.values()) {
      seal(entry);
      entry.row._first_version = entry.firstVersion;
      rows.push(entry.row);
    }
    this.#entries.clear();
    return rows;
  }

  #wins(incoming: Entry, held: Entry): boolean {
    const cheap = compareCheap(this.#contract, incoming.row, held.row);
    if (cheap !== 0) return cheap > 0;
    seal(incoming);
    seal(held);
    const order = compareOrder(this.#contract, incoming.row, held.row);
    // The same record, seen in two objects of one content: the lesser provenance, so that no order of arrival shows.
    return order !== 0 ? order > 0 : String(incoming.row._record_id) < String(held.row._record_id);
  }
}
