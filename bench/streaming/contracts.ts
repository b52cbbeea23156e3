import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isMap, parseDocument } from 'yaml';
import type { YAMLMap, YAMLSeq } from 'yaml';
import { copyContracts } from '../../local/demo/contract-copies.ts';

/** The source that is streamed. */
export const SOURCE = 'earthquakes';

/** Seconds that a message waits for its batch, and a batch for its commit, at most. */
export const MAX_LATENCY_SECONDS = 1;

/** Copies the contracts, the one of the source with the least latencies that a contract can ask for. Returns the folder. */
export async function quickContracts(directory: string): Promise<string> {
  const folder = await copyContracts(directory, [], true);
  const file = path.join(folder, `${SOURCE}.yaml`);
  const document = parseDocument(await readFile(file, 'utf8'));
  const properties = document.get('customProperties') as YAMLSeq;
  for (const item of properties.items) {
    if (isMap(item) && ['stream', 'commit'].includes(String(item.get('property'))))
      (item as YAMLMap).setIn(['value', 'maxLatencySeconds'], MAX_LATENCY_SECONDS);
  }
  await writeFile(file, document.toString());
  return folder;
}
