import type { Column, CompiledContract } from '../types.ts';
import { became, matchByName } from './differences.ts';
import { breaking, compatible, remaking } from './types.ts';
import type { ChangeRule, ContractChange } from './types.ts';

const pathOf = ({ name }: Column): string => `columns.${name}`;

function added(column: Column, from: CompiledContract, to: CompiledContract): ContractChange {
  const change = { path: pathOf(column), what: `added, ${column.required ? 'required' : 'nullable'} ${column.type}` };
  if (column.required)
    return breaking(change, 'records without it would be refused, and rows that are there have none');
  return remaking(change, from, to, 'rows made before would tie with the new ones');
}

function changed(column: Column, now: Column): ContractChange[] {
  const path = pathOf(column);
  const changes: ContractChange[] = [];
  if (column.type !== now.type)
    changes.push(
      breaking({ path: `${path}.type`, what: became(column.type, now.type) }, 'rows that are there have the old type'),
    );
  if (!column.required && now.required)
    changes.push(
      breaking({ path: `${path}.required`, what: 'nullable became required' }, 'records without it would be refused'),
    );
  // Records that were refused have no rows that new ones could tie with.
  if (column.required && !now.required)
    changes.push(compatible({ path: `${path}.required`, what: 'required became nullable' }));
  // Words are not compared in print: a description may be long.
  if (column.doc !== now.doc) changes.push(compatible({ path: `${path}.doc`, what: 'another description' }));
  return changes;
}

/** Columns: one may be added or widened; what is there keeps name and type, and accepts what it accepted. */
export const columnChanges: ChangeRule = (from, to) => {
  const { added: more, removed, kept, moved } = matchByName(from.columns, to.columns, ({ name }) => name);
  return [
    ...more.map((column) => added(column, from, to)),
    ...removed.map((column) =>
      breaking({ path: pathOf(column), what: `removed, was ${column.type}` }, 'whoever reads the column would fail'),
    ),
    ...kept.flatMap((pair) => changed(pair.from, pair.to)),
    // Compatible, since readers and the committer know columns by name and the rows are the same; only exports and the digests
    // over them follow the new order, and two digests are compared under one contract only.
    ...(moved ? [compatible({ path: 'columns', what: 'another order; exports and digests follow it' })] : []),
  ];
};
