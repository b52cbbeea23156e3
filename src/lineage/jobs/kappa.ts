import { readFileSync } from 'node:fs';
import type { CompiledContract } from '../../contracts/index.ts';
import type { Chunk, ChunkObject, Manifest, PartitionOutcome } from '../../lakehouse/deltas/index.ts';
import { streamSubscription } from '../../lakehouse/streams/subscription.ts';
import { columnsFromRecords, schemaFacet } from '../columns.ts';
import { deltasDataset, quarantineDataset, readWith, streamedTopic, writtenWith } from '../datasets.ts';
import type { Places, Statistics } from '../datasets.ts';
import type { Work } from '../runs.ts';
import type { InputDataset, OutputDataset } from '../types.ts';
import { originOf, recordsOf } from './land.ts';

const { dependencies } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  dependencies: Record<string, string>;
};

const BEAM = { name: 'Apache Beam', version: dependencies['apache-beam'] ?? 'unknown' };

const feedOf = (partition: string): string => partition.split('/', 1)[0] ?? '';

const sum = <T>(of: readonly T[], number: (one: T) => number): number =>
  of.reduce((total, one) => total + number(one), 0);

function readOf(objects: readonly ChunkObject[], outcomes: readonly PartitionOutcome[] | undefined): Statistics {
  return {
    ...(outcomes ? { rowCount: sum(outcomes, ({ recordsIn }) => recordsIn) } : {}),
    size: sum(objects, ({ bytes }) => bytes),
    fileCount: objects.length,
  };
}

/** The feeds of Bronze that a chunk reads. */
function feedsRead(places: Places, contract: CompiledContract, chunk: Chunk, manifest?: Manifest): InputDataset[] {
  const feeds = new Set(chunk.partitions.map(({ partition }) => feedOf(partition)));
  return [...feeds].map((feed) => {
    const objects = chunk.objects.filter(({ partition }) => feedOf(partition) === feed);
    const outcomes = manifest?.byPartition.filter(({ partition }) => feedOf(partition) === feed);
    return readWith(recordsOf(places, contract, feed), readOf(objects, outcomes));
  });
}

/** What a batch publishes of records in these datasets: its deltas, and what it refused. */
function published(
  places: Places,
  contract: CompiledContract,
  table: string,
  inputs: InputDataset[],
  manifest?: Manifest,
): OutputDataset[] {
  const deltas: OutputDataset = {
    ...deltasDataset(places, table),
    facets: {
      schema: schemaFacet(contract.icebergSchema.fields),
      columnLineage: columnsFromRecords(contract, inputs),
    },
  };
  if (!manifest) return [deltas];
  const { rows, files, quarantined } = manifest;
  const size = sum(files, ({ bytes }) => bytes);
  const refused = writtenWith(quarantineDataset(places, contract.source), { rowCount: quarantined });
  return [writtenWith(deltas, { rowCount: rows, size, fileCount: files.length }), ...(quarantined ? [refused] : [])];
}

/**
 * A Kappa job over a chunk of Bronze.
 *
 * @param chunk of one that pulls, with what has landed by now
 * @param manifest what it published. Default: it goes on
 */
export function kappaWork(places: Places, contract: CompiledContract, chunk: Chunk, manifest?: Manifest): Work {
  const inputs = feedsRead(places, contract, chunk, manifest);
  const pulled = [...new Set((chunk.pull ?? []).map(({ feed }) => feed))];
  return {
    job: `kappa.${contract.source}`,
    integration: 'DATAFLOW',
    type: 'JOB',
    engine: BEAM,
    inputs: [...pulled.flatMap((feed) => originOf(contract, feed)), ...inputs],
    outputs: [
      ...published(places, contract, chunk.table, inputs, manifest),
      // What a job pulls lands in Bronze before it is read.
      ...pulled.map((feed) => recordsOf(places, contract, feed)),
    ],
  };
}

/** A streaming job, from its launch to its end. */
export function streamWork(places: Places, contract: CompiledContract, table: string): Work {
  const inputs = [streamedTopic(places, contract, streamSubscription(contract.source))];
  return {
    job: `kappa-stream.${contract.source}`,
    processing: 'STREAMING',
    integration: 'DATAFLOW',
    type: 'JOB',
    engine: BEAM,
    inputs,
    outputs: published(places, contract, table, inputs),
  };
}

/** A batch of a streaming job. */
export function streamedWork(places: Places, contract: CompiledContract, manifest: Manifest): Work {
  const topic = streamedTopic(places, contract, streamSubscription(contract.source));
  const inputs = [readWith(topic, { rowCount: manifest.recordsIn })];
  return {
    job: `kappa-stream.${contract.source}.batch`,
    integration: 'DATAFLOW',
    type: 'TASK',
    engine: BEAM,
    inputs,
    outputs: published(places, contract, manifest.table, inputs, manifest),
  };
}
