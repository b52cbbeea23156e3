import type { BatchReference } from './messages.ts';

// What is grouped by: a bucket, or what else belongs together; where batches come with their elements, the batch as well.

/** What a key holds. */
export interface GroupKey {
  of: string;
  batch?: BatchReference;
}

export function toKey({ of, batch }: GroupKey): string {
  if (!batch) return of;
  const { batchId, table, stage } = batch;
  return JSON.stringify([of, batchId, table, stage]); // in this order: equal batches have equal keys
}

export function fromKey(key: string): GroupKey {
  if (!key.startsWith('[')) return { of: key };
  const [of = '', batchId = '', table = '', stage = ''] = JSON.parse(key) as string[];
  return { of, batch: { batchId, table, stage } };
}
