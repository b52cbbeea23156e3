import type { PCollection, Root } from 'apache-beam';
import type { StreamedMessage } from '../../src/lakehouse/streams/index.ts';
import { beam } from '../sdk.ts';
import { BLOCK_MESSAGES } from './message-block.ts';
import type { MessageBlock } from './message-block.ts';

/** The source of a streamed batch: its messages, in blocks. */
export function streamedMessages(messages: StreamedMessage[]): (root: Root) => PCollection<string> {
  const blocks: string[] = [];
  for (let at = 0; at < messages.length; at += BLOCK_MESSAGES)
    blocks.push(JSON.stringify({ messages: messages.slice(at, at + BLOCK_MESSAGES) } satisfies MessageBlock));
  return (root) => root.apply(beam.create(blocks));
}
