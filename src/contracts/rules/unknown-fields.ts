import type { ColumnType, CompiledContract, Conversion } from '../types.ts';
import { pathOf } from './path.ts';
import { UNPACKERS } from './unpack/index.ts';

/** Kind of a value as JSON has it; null tells nothing of a type. */
export type JsonKind = 'string' | 'number' | 'boolean' | 'object' | 'array' | 'null';

/** A member that the contract does not know. */
export interface UnknownField {
  /** Names from the record's value on. */
  path: string[];
  kind: JsonKind;
}

/** What is known below a member: a branch, or `true` where all of it is. */
type Known = Map<string, Known | true>;

function learn(known: Known, [name, ...deeper]: string[]): void {
  if (name === undefined) return;
  const below = known.get(name);
  if (below === true) return;
  if (!deeper.length) known.set(name, true);
  else {
    const branch = below ?? new Map<string, Known | true>();
    known.set(name, branch);
    learn(branch, deeper);
  }
}

/** Everything that the mapping reads or the contract ignores. */
function knownFields({ mapping, unpack, ignoredFields = [] }: CompiledContract): Known {
  const known: Known = new Map();
  for (const { from, orLastPathSegmentOf } of mapping) {
    learn(known, from);
    if (orLastPathSegmentOf) learn(known, orLastPathSegmentOf);
  }
  for (const path of ignoredFields) learn(known, pathOf(unpack, path));
  return known;
}

function kindOf(value: unknown): JsonKind {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value as JsonKind;
}

function look(value: unknown, known: Known, path: string[], found: UnknownField[]): void {
  // An array is known as a whole: the mapping reads its elements by number.
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return;
  for (const name of Object.keys(value)) {
    const below = known.get(name);
    if (below === true) continue;
    const member = (value as Record<string, unknown>)[name];
    if (below === undefined) found.push({ path: [...path, name], kind: kindOf(member) });
    else look(member, below, [...path, name], found);
  }
}

const NONE: readonly UnknownField[] = [];

/**
 * Makes the function that lists the members of a record that the contract does not know, the outermost only: of an unknown object
 * nothing below it. Pure. What the carrier adds around the origin's own (headers, attributes) is no field of the origin.
 */
export function unknownFieldsOf(contract: CompiledContract): (value: unknown) => readonly UnknownField[] {
  const known = knownFields(contract);
  const { payload } = UNPACKERS[contract.unpack.kind];
  const below = payload === undefined ? known : (known.get(payload) ?? new Map<string, Known | true>());
  if (below === true) return () => NONE;
  const root = payload === undefined ? [] : [payload];
  return (value) => {
    const origin = payload === undefined ? value : (value as Record<string, unknown>)[payload];
    const found: UnknownField[] = [];
    look(origin, below, root, found);
    return found;
  };
}

/** Column type and conversion of a field by the kinds of its values. Several kinds, objects and arrays become their RFC 8785 text. */
export function typeOfKinds(kinds: ReadonlySet<JsonKind>): { type: ColumnType; as: Conversion } | undefined {
  const told = [...kinds].filter((kind) => kind !== 'null');
  if (!told.length) return undefined;
  const [kind] = told;
  if (told.length > 1 || kind === 'object' || kind === 'array') return { type: 'string', as: 'json' };
  if (kind === 'number') return { type: 'double', as: 'as-is' };
  return { type: kind === 'boolean' ? 'boolean' : 'string', as: 'as-is' };
}
