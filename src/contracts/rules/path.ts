import type { CompiledContract } from '../types.ts';

/**
 * Names from a record's value on, of a path as contracts write it: parts joined by `.`. A line of CSV is flat, so there a name is
 * one however many dots it has (`Elev. (m)`).
 */
export const pathOf = ({ kind }: Pick<CompiledContract['unpack'], 'kind'>, text: string): string[] =>
  kind === 'csv' ? [text] : text.split('.');
