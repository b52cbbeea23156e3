import { activityInfo, heartbeat } from '@temporalio/activity';
import { cupelError } from '../errors.ts';
import { googleError } from '../gcp/errors.ts';
import { ledgerEvent } from '../lakehouse/ledger/index.ts';
import { messageAttributes, messageBody, shortened, turnId, webhookHeaders } from '../notifications/index.ts';
import type { Health } from '../notifications/index.ts';
import type { ActivityResources } from './resources.ts';

const WEBHOOK_TIMEOUT_MS = 20_000;

/** Statuses with which a receiver says no for good; everything else may pass. */
const REFUSALS = new Set([400, 401, 403, 404, 405, 410, 413, 415, 422]);

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

  async function post({ url, secret }: { url: string; secret: string }, id: string, body: string): Promise<void> {
    const headers = webhookHeaders(secret, { id, timestamp: Math.floor(now() / 1000), body });
    // Addresses of webhooks often hold a token, so errors name the host only.
    const { host } = new URL(url);
    const response = await fetch(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(WEBHOOK_TIMEOUT_MS),
    }).catch((error: Error) => {
      throw cupelError('CUP_WEBHOOK_UNAVAILABLE', { host, answer: causeOf(error) });
    });
    await response.body?.cancel();
    if (response.ok) return;
    const code = REFUSALS.has(response.status) ? 'CUP_WEBHOOK_REFUSED' : 'CUP_WEBHOOK_UNAVAILABLE';
    throw cupelError(code, { host, status: response.status });
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
      if (environment.webhook) await post(environment.webhook, id, body);
      const detail = { reason: shortened(health.reason), ...(code ? { code } : {}), workflowId };
      await ledger.append([ledgerEvent('health', source, subject, state, id, detail, at)]);
    },
  };
}

/** What lies beneath a failed fetch: a name or a connection, never the request. */
function causeOf(error: Error): string {
  const { code } = (error.cause ?? {}) as { code?: string };
  return code ?? error.name;
}
