import { createHash } from 'node:crypto';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { bronzeName, parseBronzeName, partitionOf } from '../../src/lakehouse/bronze/index.ts';
import type { ChunkObject } from '../../src/lakehouse/deltas/index.ts';
import type { ObjectStore } from '../../src/lakehouse/object-store.ts';
import { earthquakes } from './contracts.ts';

/** Batches small and soon. */
export const quickBatches = (yaml: string): string =>
  yaml.replace('maxBatch: 5000, maxLatencySeconds: 10', 'maxBatch: 300, maxLatencySeconds: 1');

/** The same contract twice, a table each: what the stream writes, and what a batch makes of the same records. */
export function twoTables(table: string): { streamed: CompiledContract; batch: CompiledContract } {
  const of = (name: string) =>
    earthquakes((yaml) =>
      quickBatches(yaml).replace('table: earthquakes,', `table: ${name},`).replace('maxShare: 0.01', 'maxShare: 0.5'),
    );
  return { streamed: of(table), batch: of(`${table}_batch`) };
}

/** Keys that {@link pollText} tells of, over all polls. */
export const EVENTS = 40;

/** Records of {@link pollText}, and those of them that nobody accepts. */
export const RECORDS = 61;

/** Revisions of events: ties of versions with other contents, older versions in later polls, and a record that nobody accepts. */
export function pollText(poll: number): string {
  const features = Array.from({ length: RECORDS - 1 }, (_, index) => {
    const id = `ev${(index * 7 + poll * 3) % EVENTS}`;
    const updated = 1_700_000_000_000 + ((index * 13 + poll * 5) % 17) * 1000;
    const properties = {
      mag: (index + poll) % 9,
      time: 1_699_999_000_000 + index,
      updated,
      place: `über ${poll}`,
      tsunami: 0,
    };
    const url = `https://example.org/eventpage/${id}`;
    return {
      type: 'Feature',
      properties: { ...properties, url },
      geometry: { type: 'Point', coordinates: [1, 2, -0.5] },
    };
  });
  const refused = { type: 'Feature', properties: { updated: 1 }, geometry: null };
  const generated = 1_700_000_100_000 + poll * 60_000;
  return JSON.stringify({ type: 'FeatureCollection', metadata: { generated }, features: [...features, refused] });
}

/** A poll as it lies in Bronze. */
export interface LandedPoll {
  object: ChunkObject;
  text: string;
}

/** Lands a poll in Bronze. */
export async function landPoll(store: ObjectStore, contract: CompiledContract, poll: number): Promise<LandedPoll> {
  const text = pollText(poll);
  const sha256 = createHash('sha256').update(text).digest('hex');
  const hour = `2023-11-14T${String(poll % 24).padStart(2, '0')}`;
  const name = bronzeName({ source: contract.source, feed: 'all_hour', hour, sha256, extension: 'geojson' });
  const { outcome } = await store.create(`gs://cupel-bronze/${name}`, text);
  if (outcome !== 'created' && outcome !== 'exists') throw new Error(`landing ${name}: ${String(outcome)}`);
  const partition = partitionOf(parseBronzeName(name) as NonNullable<ReturnType<typeof parseBronzeName>>);
  return { object: { name, generation: '1', bytes: text.length, partition }, text };
}
