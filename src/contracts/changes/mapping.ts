import type { CompiledContract, FieldRule } from '../types.ts';
import { became, matchByName } from './differences.ts';
import { breaking, compatible, remaking } from './types.ts';
import type { ChangeRule, ContractChange } from './types.ts';

/** Columns whose values say which row a record becomes and which row wins. */
function decisiveColumns({ key, versionField, carrierOrder, unpack }: CompiledContract): string[] {
  return [...key, versionField, ...(unpack.kind === 'csv' ? [carrierOrder] : [])];
}

type Part = Exclude<keyof FieldRule, 'column'>;

const PARTS: readonly Part[] = ['from', 'orLastPathSegmentOf', 'as'];

const textOf = (value: FieldRule[Part]): string | undefined => (Array.isArray(value) ? value.join('.') : value);

/**
 * Values of rows change, so a raised rulesVersion lets the new ones win. That does not help where the key or the order comes
 * from: rows under their old key, or with a greater old version, would stay. Whether another `from` or `as` refuses records
 * that were accepted depends on the records, so it alone is not called breaking: rows that are there stay.
 */
function partChanges(
  part: Part,
  rule: FieldRule,
  now: FieldRule,
  from: CompiledContract,
  to: CompiledContract,
): ContractChange[] {
  const [before, after] = [textOf(rule[part]), textOf(now[part])];
  if (before === after) return [];
  const change = { path: `mapping.${rule.column}.${part}`, what: became(before, after) };
  const requires = ({ columns }: CompiledContract): boolean =>
    columns.some(({ name, required }) => name === rule.column && required);
  const [wasRequired, isRequired] = [requires(from), requires(to)];
  // A fallback gives values where there were none: where it comes no row moves, where it goes records lack what they had.
  const comes = before === undefined;
  const goes = after === undefined;
  if (goes && isRequired) return [breaking(change, 'records without the value would be refused')];
  // Records without the value were refused, so none has a row that the new one could tie with.
  if (comes && wasRequired) return [compatible(change)];
  if (!comes && decisiveColumns(from).includes(rule.column))
    return [breaking(change, 'rows are found and ordered by this column')];
  return [remaking(change, from, to, 'the same record becomes another row')];
}

function ruleChanges(rule: FieldRule, now: FieldRule, from: CompiledContract, to: CompiledContract): ContractChange[] {
  return PARTS.flatMap((part) => partChanges(part, rule, now, from, to));
}

/** Where values come from. Rules of columns that come or go are told with their column. */
export const mappingChanges: ChangeRule = (from, to) => {
  const { kept, moved } = matchByName(from.mapping, to.mapping, ({ column }) => column);
  return [
    ...kept.flatMap((pair) => ruleChanges(pair.from, pair.to, from, to)),
    ...(moved ? [compatible({ path: 'mapping', what: 'another order' })] : []),
  ];
};
