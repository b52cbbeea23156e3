import { tableName } from '../contracts/index.ts';
import type { CompiledContract } from '../contracts/index.ts';
import { contractUri, loadContract, readContract } from '../lakehouse/contract-store.ts';
import type { FailureReport } from '../lakehouse/deltas/index.ts';
import { admitContract, takeUpFields } from '../lakehouse/published-contract.ts';
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
  /** Whether it says how the source is streamed. */
  streamed?: boolean;
}

/** Activities on contracts. */
export function contractActivities({ environment, store }: ActivityResources) {
  const publications = { store, opsBucket: environment.buckets.ops };
  const toReference = (contract: CompiledContract): ContractReference => {
    const { source, hash, lookbackHours, dependsOnPast, stream } = contract;
    const uri = contractUri(environment.buckets.ops, source, hash);
    const flags = { ...(dependsOnPast ? { dependsOnPast } : {}), ...(stream ? { streamed: true } : {}) };
    return { hash, uri, table: tableName(contract), lookbackHours, ...flags };
  };
  return {
    /** Compiles the source's contract, puts it into force where it is new and compatible, and pins what is in force. */
    async resolveContract({ source }: { source: string }): Promise<ContractReference> {
      const file = await loadContract(environment.contractsDirectory, source);
      return toReference(await admitContract(publications, file));
    },

    /** Takes up the fields that a job's report names, and pins the contract that has them. */
    async takeUpFields({
      contractUri: uri,
      report,
    }: {
      contractUri: string;
      report: string;
    }): Promise<{ uri: string }> {
      const { source, hash } = await readContract(store, uri);
      const { newFields = [] } = JSON.parse((await store.read(report)).toString('utf8')) as FailureReport;
      return toReference(await takeUpFields(publications, source, hash, newFields));
    },
  };
}
