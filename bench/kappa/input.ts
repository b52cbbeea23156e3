import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { findPolls } from '../../local/usgs/polls.ts';
import type { Poll } from '../../local/usgs/polls.ts';
import { simulatePolls } from '../../local/usgs/simulator/simulate.ts';
import { BUCKETS } from '../../local/buckets.ts';
import { PROJECT } from '../../scripts/tools.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { bronzeName, hourOf, parseBronzeName, partitionOf } from '../../src/lakehouse/bronze/index.ts';
import type { ChunkObject } from '../../src/lakehouse/deltas/index.ts';
import type { BenchLake } from '../lake.ts';

/** Recorded polls, beside the project. */
const RECORDED = path.join(PROJECT, '../shared/data/usgs');

/** A feature of a feed; only what tells its key is looked at. */
interface Feature {
  id?: string | null;
  properties?: { url?: string | null } | null;
}

/** Objects of Bronze, all there. */
export interface KappaInput {
  /** What the polls are, for the table's reader. */
  kind: string;
  objects: ChunkObject[];
  records: number;
  bytes: number;
}

async function polls(contract: CompiledContract): Promise<{ kind: string; polls: Poll[] }> {
  const isThere = existsSync(RECORDED);
  if (!isThere) console.error('bench: there are no recorded polls in ../shared/data/usgs: simulated ones are taken');
  const all = isThere ? await findPolls(RECORDED) : simulatePolls({ days: 30 });
  const feeds = new Set(contract.feeds.map(({ name }) => name));
  const kept = all.filter(({ feed }) => feeds.has(feed));
  return { kind: isThere ? 'recorded features of the USGS' : 'simulated features', polls: kept };
}

/** The same feature of another event: its key is `id`, or where that is absent the last part of the URL. */
export function copyOf(feature: Feature, copy: number): Feature {
  if (copy === 0) return feature;
  const suffix = `c${copy}`;
  const url = feature.properties?.url;
  return {
    ...feature,
    ...(feature.id ? { id: `${feature.id}${suffix}` } : {}),
    properties: { ...feature.properties, ...(url ? { url: `${url}${suffix}` } : {}) },
  };
}

interface Collection {
  features: Feature[];
}

/** The polls of the contract's feeds, each opened. */
async function opened(contract: CompiledContract): Promise<{ kind: string; all: { poll: Poll; body: Collection }[] }> {
  const { kind, polls: found } = await polls(contract);
  const all = [];
  for (const poll of found) all.push({ poll, body: JSON.parse((await poll.read()).toString('utf8')) as Collection });
  return { kind, all };
}

async function land(lake: BenchLake, contract: CompiledContract, poll: Poll, body: object): Promise<ChunkObject> {
  const text = JSON.stringify(body);
  const name = bronzeName({
    source: contract.source,
    feed: poll.feed,
    hour: hourOf(new Date(poll.generated)),
    sha256: createHash('sha256').update(text).digest('hex'),
    extension: contract.unpack.extension,
  });
  const uri = `gs://${BUCKETS.bronze}/${name}`;
  await lake.store.create(uri, text, contract.unpack.mediaType);
  const stored = await lake.store.stat(uri);
  const parsed = parseBronzeName(name);
  if (!stored || !parsed) throw new Error(`${name} did not land`);
  return { name, generation: stored.generation, bytes: stored.bytes, partition: partitionOf(parsed) };
}

/**
 * Lands real polls with every feature in so many copies, each the feature of an event of its own: as many revisions and
 * sightings per event as there really are, in as many objects. The last copy is cut off where there are records enough.
 */
export async function landInput(lake: BenchLake, contract: CompiledContract, records: number): Promise<KappaInput> {
  const { kind, all } = await opened(contract);
  const once = all.reduce((sum, { body }) => sum + body.features.length, 0);
  const copies = Math.ceil(records / once);
  let left = records - once * (copies - 1);
  const objects: ChunkObject[] = [];
  for (const { poll, body } of all) {
    const last = body.features.slice(0, left);
    left -= last.length;
    const whole = Array.from({ length: copies - 1 }, (_, copy) => body.features.map((of) => copyOf(of, copy)));
    const features = [...whole.flat(), ...last.map((of) => copyOf(of, copies - 1))];
    objects.push(await land(lake, contract, poll, { ...body, features }));
  }
  return { kind, objects, records, bytes: objects.reduce((sum, { bytes }) => sum + bytes, 0) };
}
