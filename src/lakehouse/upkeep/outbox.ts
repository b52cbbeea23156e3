import { CupelError } from '../../errors.ts';
import { unpackObject } from '../../contracts/index.ts';
import type { CompiledContract, Feed } from '../../contracts/index.ts';
import type { RecordPublisher } from '../../ingest/record-publisher.ts';
import { hourFolder, hourOf, parseBronzeName, wholeHours } from '../bronze/index.ts';
import type { HourRange } from '../bronze/index.ts';
import type { ChunkObject } from '../deltas/index.ts';
import type { ObjectStore } from '../object-store.ts';

/** What the outbox works with. */
export interface OutboxResources {
  store: ObjectStore;
  bronzeBucket: string;
  opsBucket: string;
  publisher: RecordPublisher;
  /** Called after each object, to show that work goes on. */
  progress(objects: number): void;
}

/** Feeds whose records go to Pub/Sub after they landed; an archive's came from there, and files are for batches only. */
const isPublished = ({ kind }: Feed): boolean => kind === undefined || kind === 'poll' || kind === 'webhook';

const markerUri = (opsBucket: string, object: string): string => `gs://${opsBucket}/_outbox/${object}`;

/** Names of the objects whose records are out, as their markers say. */
async function listMarkers(
  { store, opsBucket }: Pick<OutboxResources, 'store' | 'opsBucket'>,
  contract: CompiledContract,
  range: HourRange,
): Promise<Set<string>> {
  const { from, to } = wholeHours(range);
  const root = markerUri(opsBucket, '');
  const name = (feed: string, time: Date): string => `_outbox/${hourFolder(contract.source, feed, hourOf(time))}`;
  const marked = new Set<string>();
  for (const { name: feed } of contract.feeds.filter(isPublished)) {
    const bounds = { from: name(feed, from), to: name(feed, to) };
    for await (const { uri } of store.list(`${root}${contract.source}/${feed}/dt=`, bounds))
      marked.add(uri.slice(root.length));
  }
  return marked;
}

/** Publishes the records of one object and marks it. An object that cannot be read has no records. */
async function publish(resources: OutboxResources, contract: CompiledContract, object: string): Promise<boolean> {
  const bytes = await resources.store.read(`gs://${resources.bronzeBucket}/${object}`);
  try {
    await resources.publisher.publish(contract, object, await unpackObject(contract, bytes, object));
  } catch (error) {
    if (error instanceof CupelError && error.code === 'CUP_OBJECT_UNREADABLE') return false;
    throw error;
  }
  await resources.store.create(markerUri(resources.opsBucket, object), '');
  return true;
}

/**
 * Publishes what a crash left unpublished: objects of Bronze without a marker in the outbox. Message id = record id, so one
 * that is published twice is harmless.
 *
 * @param objects what Bronze lists in the range and validation did not refuse
 * @returns number of objects whose records went out
 */
export async function sweepOutbox(
  resources: OutboxResources,
  contract: CompiledContract,
  range: HourRange,
  objects: Pick<ChunkObject, 'name'>[],
): Promise<number> {
  const marked = await listMarkers(resources, contract, range);
  const feeds = new Set(contract.feeds.filter(isPublished).map(({ name }) => name));
  let published = 0;
  for (const { name } of objects) {
    if (!feeds.has(parseBronzeName(name)?.feed ?? '')) continue;
    if (marked.has(name)) continue;
    if (await publish(resources, contract, name)) published += 1;
    resources.progress(published);
  }
  return published;
}
