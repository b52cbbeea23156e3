import { access, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { tableName } from '../src/contracts/index.ts';
import type { CompiledContract } from '../src/contracts/index.ts';
import { bigqueryClient, restCatalog, storageClient } from '../src/gcp/clients.ts';
import { readEnvironment } from '../src/gcp/env.ts';
import { listSources, loadContract } from '../src/lakehouse/contract-store.ts';
import { DeltaStore } from '../src/lakehouse/deltas/index.ts';
import { Ledger, rebuildLedger } from '../src/lakehouse/ledger/index.ts';
import { ObjectStore } from '../src/lakehouse/object-store.ts';
import { prepareLakehouse } from '../src/lakehouse/prepare.ts';

/**
 * Makes every table, as `cupel prepare` does, and, where BigQuery's data are new or somebody removed them, fills the ledger from
 * what storage knows.
 *
 * @param dataDirectory BigQuery's; notes there that it was filled
 * @returns the contracts
 */
export async function prepareTables(env: Record<string, string>, dataDirectory: string): Promise<CompiledContract[]> {
  const environment = readEnvironment(env);
  const { contractsDirectory, buckets } = environment;
  const bigquery = await bigqueryClient(environment);
  const ledger = new Ledger(bigquery);
  const store = new ObjectStore(await storageClient(environment));
  const names = await listSources(contractsDirectory);
  const contracts = await Promise.all(names.map((name) => loadContract(contractsDirectory, name)));
  const catalog = await restCatalog(environment);
  await prepareLakehouse({ store, catalog, bigquery, ledger, opsBucket: buckets.ops }, contracts);
  const filled = path.join(dataDirectory, 'ledger-filled');
  const known = await access(filled).then(
    () => true,
    () => false,
  );
  if (known) return contracts;
  const deltas = new DeltaStore(store, buckets.ops);
  for (const contract of contracts) await rebuildLedger(ledger, deltas, contract.source, tableName(contract));
  await writeFile(filled, '');
  return contracts;
}
