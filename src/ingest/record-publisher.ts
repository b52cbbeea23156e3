import type { PubSub, Topic } from '@google-cloud/pubsub';
import type { CompiledContract, Unpacked } from '../contracts/index.ts';
import { exactJson } from '../formats/exact-json.ts';

/** Publishes the records of a landed object. */
export interface RecordPublisher {
  /** Returns the number of messages once Pub/Sub has them all. */
  publish(contract: CompiledContract, object: string, opened: Unpacked): Promise<number>;
}

/** Pub/Sub takes at most 1,000 messages and 10 MB in one request. */
const BATCH = { maxMessages: 1_000, maxBytes: 9 << 20, maxMilliseconds: 1 };

/**
 * One message per record, batched. Attributes: `record_id` (Bronze object and offset; duplicates carry the same one),
 * `carrier_order` (microseconds since 1970), `contract`, `bronze_object`; of a record that nobody can read, `malformed` says what was
 * expected.
 */
export function recordPublisher(pubsub: PubSub, topicName: string): RecordPublisher {
  const topic: Topic = pubsub.topic(topicName, { batching: BATCH });
  return {
    async publish(contract, object, { carrierOrder, records }) {
      const common = {
        contract: contract.hash,
        bronze_object: object,
        source: contract.source,
      };
      const sent = records.map((record) =>
        topic.publishMessage({
          data: Buffer.from(exactJson(record.value)),
          attributes: {
            ...common,
            carrier_order: String(record.carrierOrder ?? carrierOrder ?? ''),
            record_id: record.recordId ?? `${object}#${record.offset}`,
            ...(record.malformed === undefined ? {} : { malformed: record.malformed }),
          },
        }),
      );
      await Promise.all(sent);
      return sent.length;
    },
  };
}
