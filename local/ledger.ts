import { access, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { bigqueryClient, storageClient } from '../src/gcp/clients.ts';
import { readEnvironment } from '../src/gcp/env.ts';
import { tableName } from '../src/lakehouse/committer/index.ts';
import { loadContract } from '../src/lakehouse/contract-store.ts';
import { DeltaStore } from '../src/lakehouse/deltas/index.ts';
import { Ledger, rebuildLedger } from '../src/lakehouse/ledger/index.ts';
import { ObjectStore } from '../src/lakehouse/object-store.ts';

/**
 * Makes the ledger and, where BigQuery's data are new or somebody removed them, fills it from what storage knows.
 *
 * @param dataDirectory BigQuery's; notes there that it was filled
 */
export async function prepareLedger(env: Record<string, string>, dataDirectory: string): Promise<void> {
  const environment = readEnvironment(env);
  const ledger = new Ledger(await bigqueryClient(environment));
  await ledger.ensure();
  const filled = path.join(dataDirectory, 'ledger-filled');
  const known = await access(filled).then(
    () => true,
    () => false,
  );
  if (known) return;
  const deltas = new DeltaStore(new ObjectStore(await storageClient(environment)), environment.buckets.ops);
  const files = (await readdir(environment.contractsDirectory)).filter((name) => name.endsWith('.yaml'));
  for (const file of files) {
    const contract = await loadContract(environment.contractsDirectory, file.slice(0, -'.yaml'.length));
    await rebuildLedger(ledger, deltas, contract.source, tableName(contract));
  }
  await writeFile(filled, '');
}
