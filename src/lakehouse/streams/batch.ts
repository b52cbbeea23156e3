import { createHash } from 'node:crypto';
import type { CompiledContract } from '../../contracts/index.ts';
import { tableName } from '../committer/silver-table.ts';
import { batchId } from '../deltas/index.ts';
import type { Chunk, StreamedSpan } from '../deltas/index.ts';
import type { StreamedMessage } from './record.ts';

const toTime = (micros: bigint): string => new Date(Number(micros / 1000n)).toISOString();

/** What names a message, and when it was published. */
export type MessageStamp = Pick<StreamedMessage, 'id' | 'publishTime'>;

function spanOf(messages: readonly MessageStamp[]): StreamedSpan {
  const times = messages.map(({ publishTime }) => BigInt(publishTime));
  const least = times.reduce((a, b) => (b < a ? b : a));
  const greatest = times.reduce((a, b) => (b > a ? b : a));
  return { messages: messages.length, oldest: toTime(least), newest: toTime(greatest) };
}

/**
 * The chunk of a streamed batch: named by the ids of its messages, so that the same messages delivered again are the same batch.
 *
 * @param messages at least one; a message that was delivered twice counts once
 * @param partition under which its records are counted
 */
export function toStreamChunk(contract: CompiledContract, messages: readonly MessageStamp[], partition: string): Chunk {
  const ids = [...new Set(messages.map(({ id }) => id))].sort();
  const { source, hash: contractHash, rulesVersion } = contract;
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([ids, contractHash, rulesVersion]))
    .digest('hex');
  const table = tableName(contract);
  return {
    batchId: batchId(table, fingerprint),
    source,
    table,
    contractHash,
    rulesVersion,
    fingerprint,
    partitions: [{ partition, fingerprint }],
    objects: [],
    stream: spanOf(messages),
  };
}
