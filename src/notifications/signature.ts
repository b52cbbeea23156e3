import { createHmac } from 'node:crypto';

/** A message to sign. */
export interface SignedMessage {
  /** The same for every attempt to deliver it, so that a receiver can drop what it has. */
  id: string;
  /** Seconds since 1970 of this attempt: receivers refuse old ones. */
  timestamp: number;
  /** Exactly what is sent. */
  body: string;
}

const PREFIX = 'whsec_';

/** Bytes of a secret: base64 behind `whsec_`, as Standard Webhooks write it, else the text itself. */
function keyOf(secret: string): Buffer {
  return secret.startsWith(PREFIX) ? Buffer.from(secret.slice(PREFIX.length), 'base64') : Buffer.from(secret, 'utf8');
}

/** Headers of Standard Webhooks: id, time, and the signature `v1,<base64 of HMAC-SHA256 over id.timestamp.body>`. */
export function webhookHeaders(secret: string, { id, timestamp, body }: SignedMessage): Record<string, string> {
  const signature = createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.${body}`).digest('base64');
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': `v1,${signature}`,
  };
}
