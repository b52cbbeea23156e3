import type { CompiledContract } from '../types.ts';
import { differences } from './differences.ts';
import { breaking, compatible, remaking } from './types.ts';
import type { ChangeRule } from './types.ts';

/** The properties that say what becomes of fields that the mapping does not name. */
interface UnknownFields {
  unknownFields?: string;
  ignoredFields?: string[];
}

const policyOf = (contract: CompiledContract): string | undefined => (contract as UnknownFields).unknownFields;
const ignoredBy = (contract: CompiledContract): string[] => (contract as UnknownFields).ignoredFields ?? [];
const refuses = (contract: CompiledContract): boolean => policyOf(contract) === 'discard_row';

/** Only `discard_row` refuses records, so only to it and from it acceptance changes. */
export const unknownFieldChanges: ChangeRule = (from, to) =>
  differences('unknownFields', policyOf(from), policyOf(to)).map((change) => {
    if (refuses(to)) return breaking(change, 'records with unknown fields would be refused');
    return refuses(from) ? remaking(change, from, to, 'records that were refused become rows') : compatible(change);
  });

/** A field that is ignored is not unknown, so under `discard_row` the list decides what is refused. */
export const ignoredFieldChanges: ChangeRule = (from, to) =>
  differences('ignoredFields', ignoredBy(from), ignoredBy(to)).map((change) => {
    if (!refuses(from) || !refuses(to)) return compatible(change);
    const lost = ignoredBy(from).some((field) => !ignoredBy(to).includes(field));
    return lost
      ? breaking(change, 'records with these fields would be refused')
      : remaking(change, from, to, 'records that were refused become rows');
  });
