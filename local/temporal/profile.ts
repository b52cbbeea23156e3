import { writeFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * Writes a profile of Temporal's own configuration and answers the variables that choose it. Without it a `temporal.toml`
 * in somebody's home, with TLS or an API key, would also hold for the server on this machine.
 */
export async function writeProfile(
  stateDirectory: string,
  { address, namespace }: { address: string; namespace: string },
): Promise<Record<string, string>> {
  const file = path.resolve(stateDirectory, 'temporal.toml');
  const fields = `address = "${address}"\nnamespace = "${namespace}"\n`;
  await writeFile(file, `[profile.local]\n${fields}\n[profile.local.tls]\ndisabled = true\n`);
  return {
    TEMPORAL_CONFIG_FILE: file,
    TEMPORAL_PROFILE: 'local',
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: namespace,
  };
}
