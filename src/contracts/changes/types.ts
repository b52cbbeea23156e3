import type { CompiledContract } from '../types.ts';

/**
 * What a change asks for. `compatible`: nothing. `rules-version`: a raised `rulesVersion`, since records become other rows.
 * `breaking`: a rebuild, since rows that are there would stay wrong (docs/contract-changes.md).
 */
export type Impact = 'compatible' | 'rules-version' | 'breaking';

/** One difference between two contracts of a source. */
export interface ContractChange {
  /** Where, in the compiled form, with names in place of positions: `columns.magnitude.type`. */
  path: string;
  /** What happened there: `double became string`. */
  what: string;
  impact: Impact;
  /** What has to be done, and why; empty for a compatible change. */
  needs: string;
}

/** A change that nothing is said of yet. */
export type Difference = Pick<ContractChange, 'path' | 'what'>;

/** Finds the changes of one part of a contract. */
export type ChangeRule = (from: CompiledContract, to: CompiledContract) => ContractChange[];

/** A change that is nobody's trouble. */
export function compatible({ path, what }: Difference): ContractChange {
  return { path, what, impact: 'compatible', needs: '' };
}

/** @param why what would go wrong without a rebuild */
export function breaking({ path, what }: Difference, why: string): ContractChange {
  return { path, what, impact: 'breaking', needs: `rebuild: true, since ${why}` };
}

/**
 * A change by which a record becomes another row: compatible where the new contract raises `rulesVersion`.
 *
 * @param why what would go wrong without the raise
 */
export function remaking(
  { path, what }: Difference,
  from: CompiledContract,
  to: CompiledContract,
  why: string,
): ContractChange {
  if (to.rulesVersion > from.rulesVersion) return compatible({ path, what });
  return { path, what, impact: 'rules-version', needs: `raise rulesVersion: ${why}` };
}
