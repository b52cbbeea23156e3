import type { CompiledContract } from '../types.ts';
import { isSame } from './differences.ts';
import { breaking, compatible } from './types.ts';
import type { ChangeRule } from './types.ts';

type Generated = 'jsonSchema' | 'bigquerySchema' | 'icebergSchema';

/** A schema that is made of the columns, and told with them; alone it changes by another release of Cupel. */
export const generatedChanges =
  (schema: Generated): ChangeRule =>
  (from, to) =>
    isSame(from.columns, to.columns) && isSame(from.sink, to.sink) && !isSame(from[schema], to[schema])
      ? [compatible({ path: schema, what: 'made otherwise, by another release of Cupel' })]
      : [];

/** Columns that no file of a contract shows. */
const systemShape = ({ icebergSchema }: CompiledContract): string =>
  icebergSchema.fields
    .filter(({ name }) => name.startsWith('_'))
    .map(({ name, type, required }) => `${name} ${type} ${String(required)}`)
    .join(', ');

/** The schema of the table, with its system columns, of which another release of Cupel may have others. */
export const icebergSchemaChanges: ChangeRule = (from, to) => {
  if (from.sink.kind !== to.sink.kind || systemShape(from) === systemShape(to))
    return generatedChanges('icebergSchema')(from, to);
  const change = { path: 'icebergSchema', what: 'other system columns, by another release of Cupel' };
  return [breaking(change, 'rows that are there lack them')];
};
