import fc from 'fast-check';
import { expect, test } from 'vitest';
import { timestamp } from '../../../../local/grpc.ts';
import type { Message } from '../../../../local/pubsub/messages.ts';
import { BrokerState } from '../../../../local/pubsub/state/broker-state.ts';
import { Subscription } from '../../../../local/pubsub/subscription/subscription.ts';

const NAME = 'projects/p/subscriptions/subscription';

/** A subscription that has so many messages of each of two keys, and of none. */
function subscriptionOf(perKey: number): Subscription {
  const state = new BrokerState();
  const spec = { name: NAME, topic: 'projects/p/topics/topic', enableMessageOrdering: true, ackDeadlineSeconds: 600 };
  state.apply({ subscription: spec });
  let id = 0;
  const messages = Array.from({ length: perKey }, () => ['a', 'b', '']).flat();
  for (const orderingKey of messages) {
    const message: Message = { messageId: String(++id), publishTime: timestamp(), orderingKey, data: Buffer.from('x') };
    state.apply({ sent: [{ message, to: [NAME] }] });
  }
  const stored = state.subscriptions.get(NAME)!;
  return new Subscription(
    stored,
    (event) => state.apply(event),
    () => false,
  );
}

/** Takes as many, in a pull or by a consumer; then acknowledges one of what is held, or takes it back. */
const step = fc.record({ take: fc.nat(4), stream: fc.boolean(), pick: fc.nat(20), ack: fc.boolean() });

test('however receivers pull, acknowledge and give back: nothing is lost, and the last deliveries of a key are in order', () => {
  const consumer = { room: () => 0, deliver: () => undefined, end: () => undefined };
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.array(step, { maxLength: 60 }), (perKey, steps) => {
      const subscription = subscriptionOf(perKey);
      const held: string[] = [];
      const last = new Map<Message, number>();
      let deliveries = 0;
      const take = (most: number, stream: boolean): number => {
        const taken = subscription.take(most, stream ? consumer : undefined);
        for (const { ackId, message } of taken) {
          held.push(ackId);
          last.set(message, ++deliveries);
        }
        return taken.length;
      };
      for (const one of steps) {
        take(one.take, one.stream);
        const [ackId] = held.splice(one.pick % Math.max(1, held.length), 1);
        if (ackId && one.ack) subscription.ack([ackId]);
        else if (ackId) subscription.undeliver([ackId]);
      }
      do subscription.ack(held.splice(0));
      while (take(10, false));
      expect(subscription.backlog).toBe(0);
      for (const key of ['a', 'b']) {
        const own = [...last].filter(([{ orderingKey }]) => orderingKey === key);
        const ids = own.sort(([, a], [, b]) => a - b).map(([{ messageId }]) => Number(messageId));
        expect(ids).toEqual(ids.toSorted((a, b) => a - b));
        expect(ids).toHaveLength(perKey);
      }
    }),
    { numRuns: 500 },
  );
});
