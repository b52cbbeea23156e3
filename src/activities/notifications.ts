import { activityInfo, heartbeat } from '@temporalio/activity';
import { googleError } from '../gcp/errors.ts';
import { ledgerEvent } from '../lakehouse/ledger/index.ts';
import { messageAttributes, messageBody, postSigned, shortened, turnId } from '../notifications/index.ts';
import type { Health } from '../notifications/index.ts';
import type { ActivityResources } from './resources.ts';

/** Activities that tell people. */
export function notificationActivities(resources: ActivityResources) {
  const { environment, ledger, now } = resources;

  async function publish(health: Health, id: string, body: string): Promise<void> {
    const topic = environment.notificationsTopic;
    try {
      const pubsub = await resources.pubsub();
      await pubsub.topic(topic).publishMessage({ data: Buffer.from(body), attributes: messageAttributes(health, id) });
    } catch (error) {
      throw googleError('Pub/Sub', `publish to ${topic}`, error);
    }
  }

  return {
    /**
     * Tells people when a subject turns failed and when it recovers, once per turn: by a message on the notifications topic,
     * and by the webhook where one is configured. The ledger remembers a turn only when both have it, so an attempt that was
     * lost is made again, with the same id.
     *
     * @throws CupelError CUP_WEBHOOK_UNAVAILABLE, CUP_WEBHOOK_REFUSED
     */
    async announce(health: Health): Promise<void> {
      const { source, subject, state, code, workflowId } = health;
      const told = await ledger.latest(source, ['health']);
      const id = turnId(
        health,
        told.find((of) => of.subject === subject),
      );
      if (!id) return;
      const at = new Date(now());
      const body = messageBody(health, at);
      // While a webhook does not answer, the topic is not told again and again.
      const { published } = (activityInfo().heartbeatDetails ?? {}) as { published?: string };
      if (published !== id) await publish(health, id, body);
      heartbeat({ published: id });
      if (environment.webhook) await postSigned(environment.webhook, { id, body }, now());
      const detail = { reason: shortened(health.reason), ...(code ? { code } : {}), workflowId };
      await ledger.append([ledgerEvent('health', source, subject, state, id, detail, at)]);
    },
  };
}
