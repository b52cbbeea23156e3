import { cupelError } from '../../errors.ts';
import type { CompiledContract } from '../types.ts';
import { CHANGE_RULES, fixed } from './rules.ts';
import type { ChangeRule, ContractChange, Impact } from './types.ts';

export type { ContractChange, Impact } from './types.ts';
export { CHANGE_RULES } from './rules.ts';

const BY_GRAVITY: readonly Impact[] = ['compatible', 'rules-version', 'breaking'];

/** Told by an error, and by nothing: the hash names all the rest. */
const WITHOUT_RULE = ['source', 'hash'];

function ruleOf(property: string): ChangeRule {
  const rules: Partial<Record<string, ChangeRule>> = CHANGE_RULES;
  return rules[property] ?? fixed(property, 'this release has no rule for it');
}

/**
 * What changes between two contracts of one source, and what each change asks for. Pure.
 *
 * @param from the contract that rows were made under
 * @param to the contract that is to follow it
 * @returns sorted by path; none where the hashes are equal
 * @throws CupelError CUP_CONTRACT_UNRELATED where they are of different sources
 */
export function contractChanges(from: CompiledContract, to: CompiledContract): ContractChange[] {
  if (from.source !== to.source) throw cupelError('CUP_CONTRACT_UNRELATED', { from: from.source, to: to.source });
  if (from.hash === to.hash) return [];
  const properties = new Set([...Object.keys(from), ...Object.keys(to)]);
  return [...properties]
    .filter((property) => !WITHOUT_RULE.includes(property))
    .flatMap((property) => ruleOf(property)(from, to))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The gravest impact among changes; `compatible` where there are none. */
export function gravest(changes: readonly ContractChange[]): Impact {
  return changes
    .map(({ impact }) => impact)
    .reduce<Impact>(
      (worst, next) => (BY_GRAVITY.indexOf(next) > BY_GRAVITY.indexOf(worst) ? next : worst),
      'compatible',
    );
}
