import { cupelError } from '../errors.ts';
import { webhookHeaders } from './signature.ts';

/** Who is told. */
export interface WebhookReceiver {
  url: string;
  secret: string;
}

const TIMEOUT_MS = 20_000;

/** Statuses with which a receiver says no for good; everything else may pass. */
const REFUSALS = new Set([400, 401, 403, 404, 405, 410, 413, 415, 422]);

/**
 * Posts a signed message once.
 *
 * @param nowMs milliseconds since 1970 of this attempt
 * @throws CupelError CUP_WEBHOOK_UNAVAILABLE, CUP_WEBHOOK_REFUSED; both name the receiver's host only, since addresses of
 *   webhooks often hold a token
 */
export async function postSigned(
  { url, secret }: WebhookReceiver,
  message: { id: string; body: string },
  nowMs: number,
): Promise<void> {
  const { host } = new URL(url);
  const headers = webhookHeaders(secret, { ...message, timestamp: Math.floor(nowMs / 1000) });
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: message.body,
    redirect: 'manual',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((error: Error) => {
    throw cupelError('CUP_WEBHOOK_UNAVAILABLE', { host, answer: causeOf(error) });
  });
  await response.body?.cancel();
  if (response.ok) return;
  const code = REFUSALS.has(response.status) ? 'CUP_WEBHOOK_REFUSED' : 'CUP_WEBHOOK_UNAVAILABLE';
  throw cupelError(code, { host, status: response.status });
}

/** What lies beneath a failed fetch: a name or a connection, never the request. */
function causeOf(error: Error): string {
  const { code } = (error.cause ?? {}) as { code?: string };
  return code ?? error.name;
}
