import type { CompiledContract } from '../../contracts/index.ts';
import type { InboxFile } from '../../ingest/land-file.ts';
import type { HourRange } from '../bronze/index.ts';
import type { Ledger } from '../ledger/index.ts';
import type { ObjectStore } from '../object-store.ts';

/** Where files and what is told of them are looked up. */
export interface MissedFilesResources {
  store: ObjectStore;
  ledger: Pick<Ledger, 'latest'>;
  inboxBucket: string;
}

/** Files of the inbox that were dropped in a range and that the ledger tells nothing of: their finalize event was lost. */
export async function missedFiles(
  { store, ledger, inboxBucket }: MissedFilesResources,
  { source, feeds }: CompiledContract,
  range: HourRange,
): Promise<InboxFile[]> {
  const dropped = feeds.filter(({ kind }) => kind === 'file');
  if (!dropped.length) return [];
  const known = new Set((await ledger.latest(source, ['file'])).map(({ subject }) => subject));
  const missed: InboxFile[] = [];
  for (const feed of dropped) {
    for await (const { bucket, name, generation, created } of store.list(
      `gs://${inboxBucket}/${source}/${feed.name}/`,
    )) {
      const at = Date.parse(created);
      if (name.endsWith('/') || at < range.from.getTime() || at >= range.to.getTime()) continue;
      if (!known.has(`${name}#${generation}`)) missed.push({ bucket, name, generation });
    }
  }
  return missed;
}
