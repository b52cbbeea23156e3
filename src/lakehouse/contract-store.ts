import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { compileContract, freshnessOf, intervalOf } from '../contracts/index.ts';
import type { CompiledContract } from '../contracts/index.ts';
import { cupelError } from '../errors.ts';
import type { ObjectStore } from './object-store.ts';

/** URI of a published contract: immutable, named by its hash. */
export function contractUri(opsBucket: string, source: string, hash: string): string {
  return `gs://${opsBucket}/contracts/${source}/${hash}.json`;
}

/**
 * Loads the contract of a source from a folder of YAML files.
 *
 * @throws CupelError CUP_SOURCE_UNKNOWN naming the sources that are there, CUP_CONTRACT_INVALID
 */
export async function loadContract(directory: string, source: string): Promise<CompiledContract> {
  const file = path.join(directory, `${source}.yaml`);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const known = (await readdir(directory).catch(() => []))
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => name.slice(0, -5));
    throw cupelError('CUP_SOURCE_UNKNOWN', { source, known: known.join(', ') || 'none', directory }, error);
  }
  const contract = compileContract(text, file);
  if (contract.source !== source)
    throw cupelError('CUP_CONTRACT_INVALID', { file, faults: `\n  id: expected ${source}, the name of the file` });
  return contract;
}

/** Names of the sources that have a contract in the folder, sorted. */
export async function listSources(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return names
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => name.slice(0, -'.yaml'.length))
    .sort();
}

/**
 * Freshness that a source's contract promises, in milliseconds. Default: its lookback, within which runs plan again; undefined for a
 * source that nothing is scheduled for, which may be silent for as long as it likes.
 */
export async function loadFreshness(directory: string, contract: CompiledContract): Promise<number | undefined> {
  const text = await readFile(path.join(directory, `${contract.source}.yaml`), 'utf8');
  const scheduled = contract.feeds.some((feed) => intervalOf(feed) !== undefined);
  return freshnessOf(text) ?? (scheduled ? contract.lookbackHours * 3_600_000 : undefined);
}

/** Freshness that a source's contract promises for a table of Gold, in milliseconds: its own promise, else the source's. */
export async function loadGoldFreshness(
  directory: string,
  source: string,
  goldTable: string,
): Promise<number | undefined> {
  const text = await readFile(path.join(directory, `${source}.yaml`), 'utf8');
  return freshnessOf(text, goldTable) ?? freshnessOf(text);
}

/** Publishes a contract under its hash; one that is there already is the same. Returns its URI. */
export async function publishContract(
  store: ObjectStore,
  opsBucket: string,
  contract: CompiledContract,
): Promise<string> {
  const uri = contractUri(opsBucket, contract.source, contract.hash);
  await store.create(uri, JSON.stringify(contract), 'application/json');
  return uri;
}

/** @throws CupelError CUP_OBJECT_NOT_FOUND */
export async function readContract(store: ObjectStore, uri: string): Promise<CompiledContract> {
  return JSON.parse((await store.read(uri)).toString('utf8')) as CompiledContract;
}
