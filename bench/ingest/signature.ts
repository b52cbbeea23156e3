import { createHmac, timingSafeEqual } from 'node:crypto';

const secret = process.env.CUPEL_WEBHOOK_SECRETS_GITHUB_EVENTS ?? '';

/** Whether a body is signed as GitHub signs: what no receiver of signed webhooks can do less than. */
export function isSigned(body: Buffer, header: unknown): boolean {
  const computed = createHmac('sha256', secret).update(body).digest();
  const given = Buffer.from(String(header).slice('sha256='.length), 'hex');
  return given.length === computed.length && timingSafeEqual(given, computed);
}
