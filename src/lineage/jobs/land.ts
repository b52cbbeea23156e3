import type { CompiledContract, Feed } from '../../contracts/index.ts';
import type { PollResult } from '../../ingest/poll.ts';
import type { LandedFile } from '../../ingest/land-file.ts';
import { recordSchema } from '../columns.ts';
import {
  bronzeDataset,
  originDataset,
  quarantineDataset,
  storageDataset,
  topicDataset,
  writtenWith,
} from '../datasets.ts';
import type { Places, Statistics } from '../datasets.ts';
import { facets } from '../facets.ts';
import type { Work } from '../runs.ts';
import type { InputDataset, OutputDataset } from '../types.ts';

/** A feed of Bronze with the members that its records are known to have. */
export function recordsOf(places: Places, contract: CompiledContract, feed: string): InputDataset & OutputDataset {
  return { ...bronzeDataset(places, contract.source, feed), facets: { schema: recordSchema(contract) } };
}

/** The address that a feed is polled at or pulled from. */
export function originOf(contract: CompiledContract, name: string): InputDataset[] {
  const feed = contract.feeds.find((of): of is Feed & { url: string } => of.name === name && 'url' in of);
  return feed ? [originDataset(feed.url)] : [];
}

const landed = (alreadyLanded: boolean, bytes: number, rowCount: number): Statistics =>
  alreadyLanded ? { rowCount: 0, size: 0, fileCount: 0 } : { rowCount, size: bytes, fileCount: 1 };

/** A poll: the origin's answer into Bronze, its records to Pub/Sub. */
export function pollWork(
  places: Places,
  contract: CompiledContract,
  { feed, nominalTime }: { feed: string; nominalTime: string },
  result?: PollResult,
): Work {
  const [bronze, topic] = [recordsOf(places, contract, feed), topicDataset(places, contract)];
  const outputs = result
    ? [
        writtenWith(bronze, landed(result.alreadyLanded, result.bytes, result.records)),
        writtenWith(topic, { rowCount: result.published }),
      ]
    : [bronze, topic];
  return {
    job: `poll.${contract.source}.${feed}`,
    type: 'TASK',
    nominal: { start: nominalTime },
    inputs: originOf(contract, feed),
    outputs,
  };
}

/** A dropped file into Bronze. */
export function fileWork(
  places: Places,
  contract: CompiledContract,
  feed: string,
  result?: Pick<LandedFile, 'alreadyLanded' | 'description'>,
): Work {
  const { source } = contract;
  const bronze = recordsOf(places, contract, feed);
  const { description } = result ?? {};
  const statistics = result && landed(result.alreadyLanded, description?.bytes ?? 0, description?.records ?? 0);
  return {
    job: `land.${source}.${feed}`,
    type: 'TASK',
    inputs: [storageDataset(`gs://${places.buckets.inbox}/${source}/${feed}`)],
    outputs: [statistics ? writtenWith(bronze, statistics) : bronze],
  };
}

/**
 * What was refused and is taken again.
 *
 * @param landedFeeds feeds that files which were refused at the door come to; other records are in Bronze already
 */
export function redriveWork(places: Places, contract: CompiledContract, landedFeeds: readonly string[]): Work {
  return {
    job: `redrive-page.${contract.source}`,
    type: 'TASK',
    inputs: [quarantineDataset(places, contract.source)],
    outputs: landedFeeds.map((feed) => recordsOf(places, contract, feed)),
  };
}

/** What moves data of a source without a run of ours: the function of webhooks, and subscriptions of Pub/Sub. */
export function standingWork(
  places: Places,
  contract: CompiledContract,
  raw: readonly { name: string; type: string; description: string }[] | undefined,
): Work[] {
  const { source, feeds, messaging } = contract;
  const topic = topicDataset(places, contract);
  const standing = { processing: 'STREAMING', type: 'SUBSCRIPTION', integration: 'PUBSUB', inputs: [topic] } as const;
  const works: Work[] = feeds.flatMap((feed): Work[] => {
    const outputs = [recordsOf(places, contract, feed.name)];
    if (feed.kind === 'webhook') {
      const service = { processing: 'SERVICE', type: 'FUNCTION' } as const;
      return [{ ...service, job: `webhook.${source}.${feed.name}`, inputs: [], outputs: [...outputs, topic] }];
    }
    return feed.kind === 'subscription' ? [{ ...standing, inputs: [topic], job: `archive.${source}`, outputs }] : [];
  });
  if (!messaging?.rawTable || !raw) return works;
  const table = { namespace: 'bigquery', name: `${places.project}.raw.${messaging.rawTable}` };
  const output = { ...table, facets: facets({ schema: { fields: raw }, datasetType: { datasetType: 'TABLE' } }) };
  return [...works, { ...standing, inputs: [topic], job: `raw.${source}`, outputs: [output] }];
}
