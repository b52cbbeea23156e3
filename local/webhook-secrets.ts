import { randomBytes } from 'node:crypto';
import { listSources, loadContract } from '../src/lakehouse/contract-store.ts';

/**
 * Secrets of every webhook of the contracts, by the names of their variables: as the shell has them, else made up for this cloud. They
 * are base64, so that both schemes take them.
 */
export async function webhookSecrets(contractsDirectory: string): Promise<Record<string, string>> {
  const names = await listSources(contractsDirectory);
  const contracts = await Promise.all(names.map((name) => loadContract(contractsDirectory, name)));
  const variables = contracts.flatMap(({ feeds }) =>
    feeds.flatMap((feed) => (feed.kind === 'webhook' ? [feed.secretsFrom] : [])),
  );
  return Object.fromEntries(
    variables.map((variable) => [variable, process.env[variable] ?? randomBytes(24).toString('base64')]),
  );
}
