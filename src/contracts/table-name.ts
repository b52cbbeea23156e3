import type { CompiledContract } from './types.ts';

/** Full name of a contract's table, such as `silver.earthquakes`. */
export function tableName({ sink }: Pick<CompiledContract, 'sink'>): string {
  return `${sink.namespace}.${sink.table}`;
}
