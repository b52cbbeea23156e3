import { createHash } from 'node:crypto';
import { DeltaStore } from '../../src/lakehouse/deltas/index.ts';
import type { Done, Manifest } from '../../src/lakehouse/deltas/index.ts';
import type { MemoryObjects } from './memory-objects.ts';

/** A batch as a test names it. */
export interface NamedBatch {
  name: string;
  table: string;
  source: string;
  /** Milliseconds since 1970. */
  publishedMs: number;
  /** Undefined: it is not settled. */
  settledMs?: number;
  /** Group of its snapshot. Default: none. */
  groupId?: string;
  /** Whether it is of a stream. Default true. */
  streamed?: boolean;
}

/** Id of a batch. */
export const idOf = (name: string): string => createHash('sha256').update(name).digest('hex');

/** The span of messages of one moment. */
export function spanAt(ms: number): { messages: number; oldest: string; newest: string; fromHour: string } {
  const at = new Date(ms).toISOString();
  return { messages: 3, oldest: at, newest: at, fromHour: at.slice(0, 13) };
}

/** Writes a batch with two delta files and, where it is settled, its outcome. */
export async function addBatch(memory: MemoryObjects, of: NamedBatch): Promise<void> {
  const { name, table, source, publishedMs, settledMs, groupId = null, streamed = true } = of;
  const deltas = new DeltaStore(memory.store, 'ops');
  const batchId = idOf(name);
  const fingerprint = idOf(`fingerprint of ${name}`);
  memory.now = publishedMs;
  const uris = [0, 1].map(() => deltas.newDeltaUri(table, batchId));
  for (const uri of uris) await memory.create(uri, name);
  const manifest: Manifest = {
    ...{ version: 1, batchId, table, source, contractHash: 'c', rulesVersion: 1, fingerprint },
    files: uris.map((uri, bucket) => ({ uri, bucket, rows: 1, bytes: 1 })),
    ...{ recordsIn: 3, quarantined: 1, reduced: 0, rows: 2, quarantine: [{ reasonCode: 'wrong_type', count: 1 }] },
    byPartition: [],
    ...(streamed ? { stream: spanAt(publishedMs) } : {}),
  };
  await deltas.writeManifest(manifest);
  if (settledMs === undefined) return;
  memory.now = settledMs;
  const done: Done = {
    ...{ version: 1, batchId, outcome: 'committed', snapshotId: '7', groupId, fingerprint },
    ...{ rows: 2, bytes: 2, groupBytesWritten: 9 },
  };
  await deltas.writeDone(table, done);
}
