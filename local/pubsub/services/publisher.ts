import { unary } from '../../grpc.ts';
import type { Broker } from '../broker.ts';
import type { Unsent } from '../messages.ts';
import type { Topic } from '../resources.ts';
import type { Snapshots } from '../snapshots.ts';
import { page } from './page.ts';
import type { PageRequest } from './page.ts';

interface OfProject extends PageRequest {
  project: string;
}

interface OfTopic extends PageRequest {
  topic: string;
}

/** The service google.pubsub.v1.Publisher. */
export function publisherService(broker: Broker, snapshots: Snapshots) {
  return {
    createTopic: unary((topic: Topic) => broker.createTopic(topic)),
    updateTopic: unary(({ topic, updateMask }: { topic: Topic; updateMask?: { paths?: string[] } }) =>
      broker.updateTopic(topic, updateMask?.paths ?? []),
    ),
    getTopic: unary(({ topic }: OfTopic) => broker.topic(topic)),
    listTopics: unary((request: OfProject) => {
      const { items, nextPageToken } = page(broker.topics(request.project), request);
      return { topics: items, nextPageToken };
    }),
    listTopicSubscriptions: unary((request: OfTopic) => {
      const { items, nextPageToken } = page(broker.subscriptionsOf(request.topic), request);
      return { subscriptions: items, nextPageToken };
    }),
    listTopicSnapshots: unary((request: OfTopic) => {
      const [, project] = broker.topic(request.topic).name.split('/');
      const own = snapshots.list(`projects/${project}`).filter(({ topic }) => topic === request.topic);
      const { items, nextPageToken } = page(
        own.map(({ name }) => name),
        request,
      );
      return { snapshots: items, nextPageToken };
    }),
    deleteTopic: unary(({ topic }: OfTopic) => {
      broker.deleteTopic(topic);
      return {};
    }),
    detachSubscription: unary(({ subscription }: { subscription: string }) => {
      broker.detach(subscription);
      return {};
    }),
    publish: unary(({ topic, messages }: { topic: string; messages?: Unsent[] }) => ({
      messageIds: broker.publish(topic, messages ?? []),
    })),
  };
}
