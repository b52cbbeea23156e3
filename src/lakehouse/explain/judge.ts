import { compareOrder, orderColumns, Reducer } from '../../contracts/index.ts';
import type { CompiledContract, Row } from '../../contracts/index.ts';

/** By which part of the total order a row loses against another; `record` where they are equal in all of it. */
export interface LostBy {
  /** The column that decides: the first one in which they differ. `record`: none does, it is the same record in another object. */
  part: string;
  /** Columns before it, in which they are equal: what made the tie. */
  tiedIn: string[];
}

/** The greatest row of a key, and how every other one stands to it. */
export interface Judgement<T> {
  winner: T;
  /** The winner's row, with the least version ever seen. */
  row: Row;
  /** All of them, greatest first. */
  ranked: { of: T; lostBy: LostBy | null }[];
}

/** The first part of the order in which two rows differ. `a` must not be greater than `b`. */
export function lostBy(contract: CompiledContract, a: Row, b: Row): LostBy {
  const columns = orderColumns(contract);
  const at = columns.findIndex((column) => (a[column] ?? 0) !== (b[column] ?? 0));
  return at < 0 ? { part: 'record', tiedIn: columns } : { part: columns[at] ?? '', tiedIn: columns.slice(0, at) };
}

const idOf = (row: Row): string => String(row._record_id);

/** Greatest first; of equal ones the lesser record id, as the reducer has it. */
const byOrder =
  (contract: CompiledContract) =>
  (a: Row, b: Row): number =>
    -compareOrder(contract, a, b) || (idOf(a) < idOf(b) ? -1 : idOf(a) > idOf(b) ? 1 : 0);

/**
 * Judges the rows of one key by the Kappa law: the reducer says which one wins, and the order why the others do not.
 *
 * @param candidates with their sealed rows; undefined is returned where there is none
 */
export function judge<T>(contract: CompiledContract, candidates: { of: T; row: Row }[]): Judgement<T> | undefined {
  const reducer = new Reducer(contract);
  const copies = new Map<Row, { of: T; row: Row }>();
  for (const candidate of candidates) {
    const copy = { ...candidate.row };
    copies.set(copy, candidate);
    reducer.add(copy);
  }
  const [row] = reducer.drain();
  const winner = row && copies.get(row);
  if (!row || !winner) return undefined;
  const compare = byOrder(contract);
  const others = candidates.filter((candidate) => candidate !== winner).sort((a, b) => compare(a.row, b.row));
  const ranked = others.map(({ of, row: lost }) => ({ of, lostBy: lostBy(contract, lost, winner.row) }));
  return { winner: winner.of, row, ranked: [{ of: winner.of, lostBy: null }, ...ranked] };
}
