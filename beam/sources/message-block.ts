import { normaliser } from '../../src/contracts/index.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { streamedRecord } from '../../src/lakehouse/streams/index.ts';
import type { StreamedMessage } from '../../src/lakehouse/streams/index.ts';
import type { RefusedRecord } from '../sinks/quarantine.ts';
import type { BatchReference } from '../threads/messages.ts';
import type { RecordSink } from './bronze-object.ts';

/** Messages that a thread reads at once. */
export interface MessageBlock {
  messages: StreamedMessage[];
}

/** Messages of one window's batch that lie in staged objects, each a {@link MessageBlock}. */
export interface StagedMessages {
  staged: string[];
  batch: BatchReference;
}

/** Records of a stream are counted together: no partition of Bronze is read whole. */
export const STREAM_PARTITION = 'stream';

/** Few enough for every thread to have some of a batch, enough to make asking cheap. */
export const BLOCK_MESSAGES = 500;

/** A refused record, and the partition of Bronze that it belongs to. */
export type RefusedMessage = RefusedRecord & { partition: string };

/** Takes what messages hold. */
type MessageSink = Omit<RecordSink, 'refused'> & { refused(record: RefusedMessage): void };

/** Makes the function that applies a contract to one message of a stream. */
export function messageReader(contract: CompiledContract): (message: StreamedMessage, sink: MessageSink) => void {
  const normalise = normaliser(contract);
  return (message, sink) => {
    const { record, context, bronzeObject, partition } = streamedRecord(contract, message);
    const result = normalise(record, context);
    result.unknown?.forEach(sink.unknown);
    if ('row' in result) return sink.row(result.row, record.value);
    const raw = Buffer.from(message.data, 'base64');
    sink.refused({ ...result.reject, bronzeObject, offset: record.offset, raw, partition });
  };
}
