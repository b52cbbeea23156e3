import { isoTime } from './messages.ts';
import type { Message, Unsent } from './messages.ts';

/**
 * A message as it goes to the dead letter topic of a subscription (full name).
 *
 * @param failure why an export could not write it
 */
export function deadLetterOf(message: Message, subscription: string, attempt: number, failure?: string): Unsent {
  const [, project = '', , name = ''] = subscription.split('/');
  const attributes = {
    ...message.attributes,
    CloudPubSubDeadLetterSourceSubscription: name,
    CloudPubSubDeadLetterSourceSubscriptionProject: project,
    CloudPubSubDeadLetterSourceDeliveryCount: String(attempt),
    CloudPubSubDeadLetterSourceTopicPublishTime: isoTime(message.publishTime),
    ...(failure ? { CloudPubSubDeadLetterSourceDeliveryErrorMessage: failure } : {}),
  };
  const { data, orderingKey } = message;
  return { ...(data ? { data } : {}), attributes, ...(orderingKey ? { orderingKey } : {}) };
}
