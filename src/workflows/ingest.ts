import type { PollResult } from '../ingest/poll.ts';
import { polling, short } from './activities.ts';
import { canonicalTime } from './range.ts';
import { tag } from './visibility.ts';

/** One poll of one feed. */
export interface IngestInput {
  source: string;
  feed: string;
  /** The time of the schedule that the poll stands for, UTC. */
  nominalTime: string;
  /** Hash of the published contract. Default: the source's own, as it is now. */
  contractHash?: string;
}

/** Workflow `ingest/<source>/<feed>/<nominalTime>`: polls a feed and lands the answer in Bronze. */
export async function ingest(input: IngestInput): Promise<PollResult> {
  const nominalTime = canonicalTime(input.nominalTime);
  tag({ source: input.source, kind: 'ingest', stage: 'ingest' }, `Polls **${input.feed}** for ${nominalTime}`);
  const result = await polling.pollFeed({ ...input, nominalTime });
  if (result.state === 'gap')
    await short.recordGap({ source: input.source, feed: input.feed, nominalTime, object: result.object });
  return result;
}
