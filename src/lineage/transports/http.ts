import { setTimeout as delay } from 'node:timers/promises';
import { CupelError, cupelError } from '../../errors.ts';
import type { LineageEvent } from '../types.ts';
import type { Transport } from './types.ts';

/** Where events are posted. */
export interface HttpReceiver {
  /** Of the server, such as `https://marquez.example.com`. */
  url: string;
  /** Path below it. */
  endpoint: string;
  /** Sent as a bearer token. Default: none. */
  apiKey?: string;
  /** Milliseconds until a request counts as unanswered. */
  timeoutMs: number;
}

/** Times that an event is sent at most, and milliseconds before the second, twice as long before each later one: as OpenLineage's own. */
const TRIES = { most: 6, firstPauseMs: 300 };

/** Statuses that a later request may not meet: OpenLineage's own list, and too many requests. */
const PASSING = new Set([408, 429, 500, 502, 503, 504]);

async function post({ url, endpoint, apiKey, timeoutMs }: HttpReceiver, body: string, signal: AbortSignal) {
  const { host } = new URL(url);
  const address = `${url.replace(/\/$/, '')}/${endpoint.replace(/^\//, '')}`;
  const response = await fetch(address, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    },
    body,
    redirect: 'manual', // a key is for this server and no other
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  }).catch((error: Error) => {
    const { code } = (error.cause ?? {}) as { code?: string };
    throw cupelError('CUP_LINEAGE_UNAVAILABLE', { host, answer: code ?? error.name });
  });
  await response.body?.cancel();
  if (response.ok) return;
  const code = PASSING.has(response.status) ? 'CUP_LINEAGE_UNAVAILABLE' : 'CUP_LINEAGE_REFUSED';
  throw cupelError(code, { host, status: response.status });
}

/** Posts events as OpenLineage's HTTP transport does. Errors name the host only. */
export function httpTransport(receiver: HttpReceiver): Transport {
  return {
    kind: 'http',
    async send(event: LineageEvent, signal: AbortSignal) {
      const body = JSON.stringify(event);
      for (let tries = 1; ; tries += 1) {
        try {
          return await post(receiver, body, signal);
        } catch (error) {
          const again = error instanceof CupelError && error.retryable && tries < TRIES.most && !signal.aborted;
          if (!again) throw error;
          await delay(TRIES.firstPauseMs * 2 ** (tries - 1), undefined, { signal }).catch(() => undefined);
        }
      }
    },
  };
}
