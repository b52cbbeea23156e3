import type { Column, CompiledContract, FieldRule } from '../contracts/index.ts';
import { facet } from './facets.ts';
import type { DatasetName, Facet } from './types.ts';

interface Transformation {
  type: 'DIRECT' | 'INDIRECT';
  subtype: string;
  description: string;
  masking: boolean;
}

type InputField = DatasetName & { field: string; transformations: Transformation[] };

const IDENTITY: Transformation = { type: 'DIRECT', subtype: 'IDENTITY', description: '', masking: false };

const become = (description: string, subtype = 'TRANSFORMATION'): Transformation => ({
  ...IDENTITY,
  subtype,
  description,
});

const indirect = (subtype: string, description: string): Transformation => ({
  type: 'INDIRECT',
  subtype,
  description,
  masking: false,
});

/** The schema facet of a table. */
export function schemaFacet(columns: readonly Pick<Column, 'name' | 'type' | 'doc'>[]): Facet {
  const fields = columns.map(({ name, type, doc }, index) => ({
    name,
    type,
    ...(doc ? { description: doc } : {}),
    ordinal_position: index + 1,
  }));
  return facet('schema', { fields });
}

/** The schema facet of a source's raw records: the members that its mapping reads, by their paths. Their types the origin knows. */
export function recordSchema({ mapping }: CompiledContract): Facet {
  const paths = mapping.flatMap(({ from, orLastPathSegmentOf }) => [
    from,
    ...(orLastPathSegmentOf ? [orLastPathSegmentOf] : []),
  ]);
  return facet('schema', { fields: [...new Set(paths.map((path) => path.join('.')))].map((name) => ({ name })) });
}

/** Members of the raw record that a column is made of. */
function membersOf({ from, orLastPathSegmentOf, as }: FieldRule): { field: string; by: Transformation }[] {
  const of = { field: from.join('.'), by: as === 'as-is' ? IDENTITY : become(as) };
  if (!orLastPathSegmentOf) return [of];
  const fallback = become('last path segment, where the other is absent');
  return [of, { field: orLastPathSegmentOf.join('.'), by: fallback }];
}

const inEach = (inputs: readonly DatasetName[], field: string, by: Transformation): InputField[] =>
  inputs.map(({ namespace, name }) => ({ namespace, name, field, transformations: [by] }));

function ruleOf({ mapping }: CompiledContract, column: string): FieldRule | undefined {
  return mapping.find((rule) => rule.column === column);
}

/** What decides which record becomes the row of a key (docs/kappa-law.md). A log keeps each record, so there nothing does. */
function decidedBy(contract: CompiledContract, inputs: readonly DatasetName[]): InputField[] {
  if (contract.sink.kind === 'append-log') return [];
  const key = ruleOf(contract, contract.key[0] ?? '');
  const version = ruleOf(contract, contract.versionField);
  return [
    ...(key ? inEach(inputs, key.from.join('.'), indirect('GROUP_BY', 'one row for each key')) : []),
    ...(version ? inEach(inputs, version.from.join('.'), indirect('SORT', 'the greatest version wins')) : []),
  ];
}

/** From which members of the raw records each column comes, by the contract's mapping: of the datasets that hold such records. */
export function columnsFromRecords(contract: CompiledContract, inputs: readonly DatasetName[]): Facet {
  const fields = contract.mapping.map((rule) => {
    const inputFields = membersOf(rule).flatMap(({ field, by }) => inEach(inputs, field, by));
    return [rule.column, { inputFields }] as const;
  });
  const version = ruleOf(contract, contract.versionField);
  const first = version && inEach(inputs, version.from.join('.'), become('least version seen', 'AGGREGATION'));
  return facet('columnLineage', {
    fields: Object.fromEntries([...fields, ...(first ? [['_first_version', { inputFields: first }] as const] : [])]),
    dataset: decidedBy(contract, inputs),
  });
}

/** Columns that go over unchanged from one dataset into another of the same columns. */
export function sameColumns(columns: readonly { name: string }[], input: DatasetName): Facet {
  const fields = columns.map(({ name }) => [name, { inputFields: inEach([input], name, IDENTITY) }] as const);
  return facet('columnLineage', { fields: Object.fromEntries(fields) });
}
