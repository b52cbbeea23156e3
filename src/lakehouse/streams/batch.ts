import { createHash } from 'node:crypto';
import { tableName } from '../../contracts/index.ts';
import type { CompiledContract } from '../../contracts/index.ts';
import { batchId } from '../deltas/index.ts';
import type { Chunk, StreamedSpan } from '../deltas/index.ts';
import { bronzeHourOf } from './record.ts';
import type { StreamedMessage } from './record.ts';

const toTime = (micros: bigint): string => new Date(Number(micros / 1000n)).toISOString();

/** What a batch needs to know of each of its messages. */
export interface MessageStamp extends Pick<StreamedMessage, 'id' | 'publishTime'> {
  /** Hour under which Bronze has it. */
  hour: string;
}

/** The stamp of a message. */
export function stampOf(contract: CompiledContract, message: StreamedMessage): MessageStamp {
  const { id, publishTime } = message;
  return { id, publishTime, hour: bronzeHourOf(contract, message) };
}

function spanOf(stamps: readonly MessageStamp[]): StreamedSpan {
  const times = stamps.map(({ publishTime }) => BigInt(publishTime));
  const least = times.reduce((a, b) => (b < a ? b : a));
  const greatest = times.reduce((a, b) => (b > a ? b : a));
  const fromHour = stamps.map(({ hour }) => hour).reduce((a, b) => (b < a ? b : a));
  return { messages: stamps.length, oldest: toTime(least), newest: toTime(greatest), fromHour };
}

/**
 * The chunk of a streamed batch: named by the ids of its messages, so that the same messages delivered again are the same batch.
 *
 * @param messages at least one; a message that was delivered twice counts once
 * @param partition under which its records are counted
 */
export function toStreamChunk(
  contract: CompiledContract,
  messages: readonly StreamedMessage[],
  partition: string,
): Chunk {
  return stampedChunk(
    contract,
    messages.map((message) => stampOf(contract, message)),
    partition,
  );
}

/** The same where only the stamps of the messages are at hand. */
export function stampedChunk(contract: CompiledContract, stamps: readonly MessageStamp[], partition: string): Chunk {
  const ids = [...new Set(stamps.map(({ id }) => id))].sort();
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
    stream: spanOf(stamps),
  };
}
