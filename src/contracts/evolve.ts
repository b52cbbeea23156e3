import { assembleContract } from './compile.ts';
import { typeOfKinds, unknownFieldsOf } from './rules/unknown-fields.ts';
import type { JsonKind } from './rules/unknown-fields.ts';
import type { ColumnType, CompiledContract, Conversion } from './types.ts';

/** A member that records turned out to have, and the column that it got. */
export interface EvolvedField {
  /** Names from the record's value on. */
  path: string[];
  column: string;
  type: ColumnType;
  as: Conversion;
}

/** A member that records turned out to have. */
export interface SeenField {
  path: string[];
  kinds: JsonKind[];
}

/** Names as BigQuery, Iceberg and Dataform take them all: lower case, digits, `_`; none that could be a system column. */
function columnName(text: string): string {
  const snake = text
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
  return /^[a-z]/.test(snake) ? snake : `field_${snake}`.replace(/_$/, '');
}

/** The last name of the path; the whole path where that is taken; with a number where even that is. */
function freeName(path: string[], taken: ReadonlySet<string>): string {
  const last = columnName(path.at(-1) ?? '');
  if (!taken.has(last)) return last;
  const whole = path.map(columnName).join('__');
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? whole : `${whole}_${number}`;
    if (!taken.has(name)) return name;
  }
}

/** Whether a contract knows what a path leads to. */
function knows(contract: CompiledContract, path: string[]): boolean {
  const record = path.reduceRight<unknown>((value, name) => ({ [name]: value }), 0);
  return unknownFieldsOf(contract)(record).length === 0;
}

/**
 * Columns for members that a contract does not know, in order of path. One whose values were all null gets none: nothing tells its
 * type. The name is the path's last, in snake case; numbers are `double`, several kinds and nested values RFC 8785 text.
 */
export function planFields(contract: CompiledContract, seen: readonly SeenField[]): EvolvedField[] {
  const taken = new Set(contract.columns.map(({ name }) => name.toLowerCase()));
  const planned: EvolvedField[] = [];
  const sorted = seen.toSorted((a, b) => (a.path.join('.') < b.path.join('.') ? -1 : 1));
  for (const { path, kinds } of sorted) {
    const of = typeOfKinds(new Set(kinds));
    if (!of || knows(contract, path)) continue;
    const column = freeName(path, taken);
    taken.add(column);
    planned.push({ path, column, ...of });
  }
  return planned;
}

/** The contract with a nullable column for each field that it does not know yet; itself where it knows all. Pure. */
export function withFields(contract: CompiledContract, fields: readonly EvolvedField[]): CompiledContract {
  const taken = new Set(contract.columns.map(({ name }) => name));
  const added = fields.filter(({ path, column }) => !taken.has(column) && !knows(contract, path));
  if (!added.length) return contract;
  return assembleContract({
    ...contract,
    columns: [
      ...contract.columns,
      ...added.map(({ path, column, type }) => ({ name: column, type, required: false, doc: docOf(path) })),
    ],
    mapping: [...contract.mapping, ...added.map(({ path, column, as }) => ({ column, from: path, as }))],
  });
}

const docOf = (path: string[]): string => `Taken up by itself: ${path.join('.')} was in no contract`;
