import type { CompiledContract } from '../types.ts';
import { differences, saysDefault } from './differences.ts';
import { breaking, compatible } from './types.ts';
import type { ChangeRule } from './types.ts';

const refuses = ({ unknownFields }: CompiledContract): boolean => unknownFields === 'discard_row';

/** Only `discard_row` refuses records, so only to it acceptance shrinks. Records that were refused have no rows to tie with. */
export const unknownFieldChanges: ChangeRule = (from, to) =>
  differences('unknownFields', from.unknownFields, to.unknownFields).map((change) =>
    refuses(to) && !saysDefault(change, 'discard_value')
      ? breaking(change, 'records with unknown fields would be refused')
      : compatible(change),
  );

/** A field that is ignored is not unknown, so under `discard_row` the list decides what is refused. */
export const ignoredFieldChanges: ChangeRule = (from, to) =>
  differences('ignoredFields', from.ignoredFields ?? [], to.ignoredFields ?? []).map((change) => {
    const lost = (from.ignoredFields ?? []).some((field) => !to.ignoredFields?.includes(field));
    return refuses(from) && refuses(to) && lost
      ? breaking(change, 'records with these fields would be refused')
      : compatible(change);
  });
