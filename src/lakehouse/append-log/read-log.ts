import { createHash } from 'node:crypto';
import type { CompiledContract, Row } from '../../contracts/index.ts';
import type { StoredObject } from '../object-store.ts';
import { logFolder } from './log-name.ts';
import { decodeLogRows } from './merge-object.ts';
import type { LogResources } from './merge-object.ts';

/** Objects of a log in order of name: by hour, then bucket. */
export function listLog(
  { store, silverBucket }: LogResources,
  contract: CompiledContract,
): AsyncGenerator<StoredObject> {
  return store.list(logFolder(silverBucket, contract));
}

/** What a log holds now, as one name: changes whenever any of its objects does. Undefined: it is empty. */
export async function logState(resources: LogResources, contract: CompiledContract): Promise<string | undefined> {
  const hash = createHash('sha256');
  let objects = 0;
  for await (const { name, generation } of listLog(resources, contract)) {
    hash.update(`${name}#${generation}\n`);
    objects += 1;
  }
  return objects ? hash.digest('hex') : undefined;
}

/** Rows of a log, an hour at a time: in order of hour, then record id. */
export async function* readLog(resources: LogResources, contract: CompiledContract): AsyncGenerator<Row[]> {
  let folder = '';
  let rows: Row[] = [];
  const sorted = (): Row[] => rows.sort((a, b) => (String(a._record_id) < String(b._record_id) ? -1 : 1));
  for await (const { uri } of listLog(resources, contract)) {
    const next = uri.slice(0, uri.lastIndexOf('/'));
    if (next !== folder && rows.length) {
      yield sorted();
      rows = [];
    }
    folder = next;
    rows.push(...(await decodeLogRows(contract, await resources.store.read(uri))));
  }
  if (rows.length) yield sorted();
}
