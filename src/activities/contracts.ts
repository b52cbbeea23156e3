import { loadContract, publishContract } from '../lakehouse/contract-store.ts';
import { tableName } from '../lakehouse/committer/silver-table.ts';
import type { ActivityResources } from './resources.ts';

/** A published contract, pinned for a whole run. */
export interface ContractReference {
  hash: string;
  uri: string;
  /** `<namespace>.<table>` */
  table: string;
  /** Hours that every scheduled pipeline plans again. */
  lookbackHours?: number;
  /** Whether a backfill takes its chunks one after the other. */
  dependsOnPast?: boolean;
}

/** Activities on contracts. */
export function contractActivities({ environment, store }: ActivityResources) {
  return {
    /** Compiles the source's contract and publishes it under its hash. */
    async resolveContract({ source }: { source: string }): Promise<ContractReference> {
      const contract = await loadContract(environment.contractsDirectory, source);
      const uri = await publishContract(store, environment.buckets.ops, contract);
      const { hash, lookbackHours, dependsOnPast } = contract;
      return { hash, uri, table: tableName(contract), lookbackHours, ...(dependsOnPast ? { dependsOnPast } : {}) };
    },
  };
}
