import { createHash } from 'node:crypto';
import type { Chunk, Manifest } from '../../src/lakehouse/deltas/index.ts';
import type { ObjectStore } from '../../src/lakehouse/object-store.ts';
import { StreamLog } from '../../src/lakehouse/streams/index.ts';
import { contractResources } from '../job-resources.ts';
import type { ContractResources } from '../job-resources.ts';
import { reportMetric } from '../streaming/report.ts';
import { addUp } from '../threads/counts.ts';
import type { BatchReference, KappaParameters, ManifestPart } from '../threads/messages.ts';
import { publishManifest, removeStaged } from './manifest.ts';

// A runner that streams may hand the parts of one batch on in several firings: a late pane's ones come when they come. So what a
// firing brings is kept beside the batch's blocks, and whichever finds every message accounted for publishes.

/** What is known of a window's batch before its messages are parsed; stored as `chunk.json` in the batch's stage. */
export interface OpenBatch {
  chunk: Chunk;
  /** URIs of its messages. */
  staged: string[];
}

const openBatchUri = ({ stage }: BatchReference): string => `${stage}/chunk.json`;
const partsFolder = ({ stage }: BatchReference): string => `${stage}/parts/`;

/** Stores what the steps after this one need to know of a batch. */
export async function writeOpenBatch(store: ObjectStore, batch: BatchReference, open: OpenBatch): Promise<void> {
  await store.create(openBatchUri(batch), JSON.stringify(open), 'application/json');
}

/** Keeps the parts of one firing, each under a name that a retry gives it too; returns those of all firings so far. */
async function gather(store: ObjectStore, batch: BatchReference, parts: ManifestPart[]): Promise<ManifestPart[]> {
  const folder = partsFolder(batch);
  for (const part of parts) {
    const body = JSON.stringify(part);
    const name = createHash('sha256').update(body).digest('hex');
    await store.create(`${folder}${name}.json`, body, 'application/json');
  }
  const all: ManifestPart[] = [];
  for await (const { uri } of store.list(folder))
    all.push(JSON.parse((await store.read(uri)).toString('utf8')) as ManifestPart);
  return all;
}

/** Whether parts account for every message of a batch: no bundle's counts and no bucket's delta is missing. */
export function isWhole({ stream }: Chunk, parts: ManifestPart[]): boolean {
  const of = Object.values(addUp(parts.map(({ counts }) => counts)).byPartition);
  const sum = (pick: (counts: (typeof of)[number]) => number): number =>
    of.reduce((total, counts) => total + pick(counts), 0);
  const recordsIn = sum((counts) => counts.recordsIn);
  return (
    recordsIn === stream?.messages && recordsIn === sum((counts) => counts.quarantined + counts.reduced + counts.rows)
  );
}

/** Next numbers of streams' logs, by source: looking for the end of a log costs a listing. */
const nextNumbers = new Map<string, number>();

const sums = { messages: 0, batches: 0 };

/** Behind this the supervisor has the batch committed, whatever becomes of the job. Twice is harmless. */
export async function announceBatch(
  { store, environment, contract }: ContractResources,
  contractUri: string,
  { batchId, table, stream }: Pick<Manifest, 'batchId' | 'table' | 'stream'>,
): Promise<void> {
  if (!stream) return;
  const log = new StreamLog(store, environment.buckets.ops, contract.source);
  const from = nextNumbers.get(contract.source) ?? (await log.bounds()).next;
  const entry = { batchId, table, contractUri, ...stream, at: new Date().toISOString() };
  nextNumbers.set(contract.source, (await log.append(entry, from)) + 1);
  sums.messages += stream.messages;
  sums.batches += 1;
  reportMetric('messages', sums.messages);
  reportMetric('batches', sums.batches);
}

/** Publishes a batch of a stream once its last part is there; until then it keeps what there is. */
export async function publishOpenBatch(
  parameters: KappaParameters,
  batch: BatchReference,
  parts: ManifestPart[],
): Promise<void> {
  const resources = await contractResources(parameters.contract);
  const { store, deltas } = resources;
  const bytes = await store.readIfExists(openBatchUri(batch));
  if (bytes) {
    const { chunk, staged } = JSON.parse(bytes.toString('utf8')) as OpenBatch;
    const all = await gather(store, batch, parts);
    if (!isWhole(chunk, all)) return;
    const { contract, report } = parameters;
    await publishManifest({ contract, batch, chunk, ...(report ? { report } : {}) }, all);
    for (const uri of staged) await store.delete(uri);
  }
  // Without its chunk it is published: this firing is tried again after a crash, and may have told nobody yet.
  const manifest = await deltas.readManifest(batch.table, batch.batchId);
  if (!manifest) throw new Error(`batch ${batch.batchId}: neither what it consists of nor its manifest is there`);
  await announceBatch(resources, parameters.contract, manifest);
  await removeStaged(store, batch.stage);
}
