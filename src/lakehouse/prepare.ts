import type { BigQuery } from '@google-cloud/bigquery';
import { tableName } from '../contracts/index.ts';
import type { CompiledContract } from '../contracts/index.ts';
import { ensureSilverTable } from './committer/index.ts';
import { admitContract } from './published-contract.ts';
import type { RestCatalog } from './iceberg/index.ts';
import type { Ledger } from './ledger/index.ts';
import type { ObjectStore } from './object-store.ts';
import { ensureRawTable } from './raw/index.ts';

/** What preparing works with. */
export interface PrepareLakehouse {
  store: ObjectStore;
  catalog: RestCatalog;
  bigquery: BigQuery;
  ledger: Pick<Ledger, 'ensure'>;
  opsBucket: string;
}

/** What is there of a source. */
export interface PreparedSource {
  source: string;
  /** Iceberg table of Silver; none for a log, which needs no table. */
  silver?: string;
  /** Table of Bronze in BigQuery. */
  raw?: string;
}

/**
 * Makes what queries and subscriptions need before the first record: the ledger, and for each contract its empty Silver table and
 * its table of Bronze in BigQuery. What is there stays as it is, so it may be run before each deployment.
 *
 * @throws CupelError CUP_CONTRACT_BREAKING; CUP_TABLE_SCHEMA when a table has other columns than its contract
 */
export async function prepareLakehouse(
  resources: PrepareLakehouse,
  contracts: CompiledContract[],
): Promise<PreparedSource[]> {
  const { store, catalog, bigquery, ledger, opsBucket } = resources;
  await ledger.ensure();
  const prepared: PreparedSource[] = [];
  for (const file of contracts) {
    const contract = await admitContract({ store, opsBucket }, file);
    if (contract.sink.kind === 'iceberg') await ensureSilverTable(catalog, store, contract);
    const raw = await ensureRawTable(bigquery, contract);
    const silver = contract.sink.kind === 'iceberg' ? { silver: tableName(contract) } : {};
    prepared.push({ source: contract.source, ...silver, ...(raw ? { raw } : {}) });
  }
  return prepared;
}
