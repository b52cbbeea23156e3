import { createHmac, timingSafeEqual } from 'node:crypto';
import type { WebhookFeed } from '../../contracts/index.ts';
import { cupelError } from '../../errors.ts';

/** Headers by lower-case name; of one that came several times, all values. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

const DEFAULT_TOLERANCE_SECONDS = 300;

/** Value of a header that came once. */
export function headerOf(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

const unsigned = (expected: string): Error => cupelError('CUP_DELIVERY_UNSIGNED', { expected });

function isSame(given: Buffer, computed: Buffer): boolean {
  return given.length === computed.length && timingSafeEqual(given, computed);
}

/** Whether any secret gives any of the signatures. All are tried, so that the time tells nothing of which one fits. */
function anyFits(secrets: Buffer[], signatures: Buffer[], signed: Uint8Array[]): boolean {
  let fits = false;
  for (const secret of secrets) {
    const hmac = createHmac('sha256', secret);
    for (const part of signed) hmac.update(part);
    const computed = hmac.digest();
    for (const signature of signatures) fits = isSame(signature, computed) || fits;
  }
  return fits;
}

/** GitHub: `X-Hub-Signature-256: sha256=<hex of HMAC-SHA256 over the body>`. It signs no time, so a replay shows by its delivery only. */
function verifyGithub(secrets: string[], headers: Headers, body: Uint8Array): void {
  const [, hex] = /^sha256=([0-9a-f]{64})$/i.exec(headerOf(headers, 'x-hub-signature-256') ?? '') ?? [];
  if (!hex) throw unsigned('X-Hub-Signature-256');
  const keys = secrets.map((secret) => Buffer.from(secret, 'utf8'));
  if (!anyFits(keys, [Buffer.from(hex, 'hex')], [body])) throw unsigned('a signature by a known secret');
}

/** Bytes of a secret as Standard Webhooks write it: base64, behind `whsec_` or bare. */
const keyOf = (secret: string): Buffer => Buffer.from(secret.replace(/^whsec_/, ''), 'base64');

/** Standard Webhooks 1.0.0: `webhook-signature: v1,<base64> …` over `<id>.<timestamp>.<body>`, the time within a tolerance. */
function verifyStandard(
  secrets: string[],
  headers: Headers,
  body: Uint8Array,
  nowMs: number,
  toleranceSeconds: number,
): void {
  const id = headerOf(headers, 'webhook-id');
  const timestamp = headerOf(headers, 'webhook-timestamp') ?? '';
  if (!id || !/^\d{1,12}$/.test(timestamp)) throw unsigned('webhook-id and webhook-timestamp');
  if (Math.abs(nowMs / 1000 - Number(timestamp)) > toleranceSeconds)
    throw unsigned(`webhook-timestamp within ${toleranceSeconds} s`);
  const signatures = (headerOf(headers, 'webhook-signature') ?? '')
    .split(' ')
    .filter((one) => one.startsWith('v1,'))
    .map((one) => Buffer.from(one.slice('v1,'.length), 'base64'));
  const signed = [Buffer.from(`${id}.${timestamp}.`), body];
  if (!anyFits(secrets.map(keyOf), signatures, signed)) throw unsigned('a signature by a known secret');
}

/**
 * Checks that a delivery was signed by somebody who knows one of the secrets, in constant time.
 *
 * @param body the bytes as they came
 * @param nowMs milliseconds since 1970
 * @throws CupelError CUP_DELIVERY_UNSIGNED; it never says which part of a signature was wrong
 */
export function verifySignature(
  feed: Pick<WebhookFeed, 'scheme' | 'toleranceSeconds'>,
  secrets: string[],
  headers: Headers,
  body: Uint8Array,
  nowMs: number,
): void {
  if (feed.scheme === 'github') verifyGithub(secrets, headers, body);
  else verifyStandard(secrets, headers, body, nowMs, feed.toleranceSeconds ?? DEFAULT_TOLERANCE_SECONDS);
}

/**
 * Secrets of a feed, from the environment: one a line; several while they are rotated.
 *
 * @throws CupelError CUP_ENVIRONMENT_INVALID when there is none, or one that makes an empty key: nothing could be trusted
 */
export function secretsOf(
  { secretsFrom, scheme }: Pick<WebhookFeed, 'secretsFrom' | 'scheme'>,
  env: Record<string, string | undefined>,
): string[] {
  const secrets = (env[secretsFrom] ?? '').split(/\r?\n/).filter(Boolean);
  if (!secrets.length)
    throw cupelError('CUP_ENVIRONMENT_INVALID', { variable: secretsFrom, expected: 'the secrets of the webhook' });
  // Everybody can sign with an empty key.
  if (scheme === 'standard-webhooks' && secrets.some((secret) => !keyOf(secret).length))
    throw cupelError('CUP_ENVIRONMENT_INVALID', { variable: secretsFrom, expected: 'secrets in base64' });
  return secrets;
}
