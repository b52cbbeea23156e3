import type { Message } from '@google-cloud/pubsub';

/** Where an event goes. */
export interface Target {
  functionUrl: string;
  /** Makes the ID token of a delivery. */
  identityToken(audience: string): string;
}

// What the HTTP binding of CloudEvents 1.0 (3.1.3.2) has percent-encoded in a header: all but the printable ASCII
// characters, and of these the space, the double quote and the percent sign.
const ENCODED = /[^\x21\x23\x24\x26-\x7e]/gu;

/** A function that has not answered by then has failed; the longest that one of ours may run. */
const TIMEOUT_MS = 60_000;

const headerText = (value: string): string => value.replace(ENCODED, encodeURIComponent);

/** The headers of a finalize event in CloudEvents' binary form, as Eventarc sends it. */
function headers(message: Message, { functionUrl, identityToken }: Target): Record<string, string> {
  const { bucketId = '', objectId = '' } = message.attributes;
  return {
    'content-type': 'application/json',
    authorization: `Bearer ${identityToken(functionUrl)}`,
    'ce-id': message.id,
    'ce-specversion': '1.0',
    'ce-time': message.publishTime.toISOString(),
    'ce-type': 'google.cloud.storage.object.v1.finalized',
    'ce-source': `//storage.googleapis.com/projects/_/buckets/${bucketId}`,
    'ce-subject': headerText(`objects/${objectId}`),
    'ce-bucket': bucketId,
  };
}

/** POSTs a notification of Cloud Storage to a function as a CloudEvent; true when the function has taken it (2xx). */
export async function deliver(message: Message, target: Target, stopped: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(target.functionUrl, {
      method: 'POST',
      headers: headers(message, target),
      body: new Uint8Array(message.data),
      signal: AbortSignal.any([stopped, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false; // nobody there, or no answer
  }
}
