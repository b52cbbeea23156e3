import type { Client } from '@temporalio/client';
import type { PollResult } from '../../src/ingest/poll.ts';
import { ingestId, TASK_QUEUE } from '../../src/workflows/ids.ts';
import { canonicalTime } from '../../src/workflows/range.ts';
import type { Poll } from '../usgs/polls.ts';
import type { UsgsServer } from '../usgs/server.ts';

const SOURCE = 'earthquakes';

/** What polling came to. */
export interface Ingested {
  polls: number;
  alreadyLanded: number;
  records: number;
  published: number;
}

/** One poll, by Temporal: the workflow `ingest` calls the function `poll`. */
async function pollOnce(client: Client, contractHash: string, feed: string, generated: number): Promise<PollResult> {
  const nominalTime = canonicalTime(new Date(generated).toISOString());
  return (await client.workflow.execute('ingest', {
    workflowId: ingestId(SOURCE, feed, nominalTime),
    taskQueue: TASK_QUEUE,
    args: [{ source: SOURCE, feed, nominalTime, contractHash }],
    // A site that does not answer must not hold the demo for as long as it may hold a schedule.
    workflowExecutionTimeout: '2m',
  })) as PollResult;
}

/**
 * Polls everything once. Each feed has its own clock, which moves to the next poll when the workflow of the one before has
 * returned; feeds run side by side.
 */
export async function ingestAll(
  client: Client,
  usgs: UsgsServer,
  polls: Poll[],
  contractHash: string,
  progress: (done: number) => void,
): Promise<Ingested> {
  const total: Ingested = { polls: 0, alreadyLanded: 0, records: 0, published: 0 };
  const feeds = Map.groupBy(polls, (poll) => poll.feed);
  const runFeed = async (own: Poll[]): Promise<void> => {
    for (const poll of own) {
      usgs.show(poll);
      const result = await pollOnce(client, contractHash, poll.feed, poll.generated);
      total.polls += 1;
      total.alreadyLanded += result.alreadyLanded ? 1 : 0;
      total.records += result.records;
      total.published += result.published;
      progress(total.polls);
    }
  };
  await Promise.all([...feeds.values()].map(runFeed));
  return total;
}

/** Polls every feed of the contract at the real site, once. */
export async function ingestLive(
  client: Client,
  feeds: string[],
  contractHash: string,
  now: number,
): Promise<Ingested> {
  const results = await Promise.all(feeds.map((feed) => pollOnce(client, contractHash, feed, now)));
  return {
    polls: results.length,
    alreadyLanded: results.filter((result) => result.alreadyLanded).length,
    records: results.reduce((sum, result) => sum + result.records, 0),
    published: results.reduce((sum, result) => sum + result.published, 0),
  };
}
