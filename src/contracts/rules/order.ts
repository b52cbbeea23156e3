import type { Row } from '../row.ts';
import type { CompiledContract } from '../types.ts';

/**
 * Columns of the total order of the Kappa law, most significant first: (version, `_tombstone`, carrier order,
 * `_rules_version`, `_record_hash`). Without version ties the carrier's order is left out, so that a re-sighting is no change.
 */
export function orderColumns(contract: CompiledContract): string[] {
  const carrier = contract.versionTies === 'possible' ? ['_carrier_order'] : [];
  return [contract.versionField, '_tombstone', ...carrier, '_rules_version', '_record_hash'];
}

function compare(a: Row, b: Row, column: string): number {
  const x = a[column] ?? 0;
  const y = b[column] ?? 0;
  return x < y ? -1 : x > y ? 1 : 0;
}

/** The order of two rows of one key without the record hash; 0 means that only the hash can decide. */
export function compareCheap(contract: CompiledContract, a: Row, b: Row): number {
  const carrier = contract.versionTies === 'possible' ? compare(a, b, '_carrier_order') : 0;
  return (
    compare(a, b, contract.versionField) || compare(a, b, '_tombstone') || carrier || compare(a, b, '_rules_version')
  );
}

/**
 * The total order of the Kappa law. Negative: `b` wins. 0 only where both are the same record under the same rules.
 * Both rows must be sealed.
 */
export function compareOrder(contract: CompiledContract, a: Row, b: Row): number {
  return compareCheap(contract, a, b) || compare(a, b, '_record_hash');
}
