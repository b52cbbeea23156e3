import { createHash } from 'node:crypto';

/** How a thing is, as a workflow or the monitor found it. */
export interface Health {
  /** What it is about: `gold`, `maintain/<source>`, `freshness/<table or feed>`. */
  subject: string;
  /** Name of the contract; `gold` for Gold as a whole, empty where it is about none. */
  source: string;
  state: 'failed' | 'healthy';
  /** One line for people, without payload values. */
  reason: string;
  /** Code of the error catalogue. Default: none. */
  code?: string;
  /** Who found it: where to look. */
  workflowId: string;
}

/** A state of a subject that was told before. */
export interface ToldHealth {
  state: string;
  /** Id of the message that told it. */
  fingerprint: string;
}

/** Most characters of a reason: errors of remote systems may be pages long. */
const REASON_LENGTH = 500;

/**
 * Id of the message that tells a turn; undefined where there is nothing to tell: people hear of the first failure, of a
 * recovery, of the next failure, and of nothing in between. An id is made from the message before, so one turn has one id,
 * however often it is sent and by whomever.
 */
export function turnId(
  { source, subject, state, workflowId }: Health,
  before: ToldHealth | undefined,
): string | undefined {
  if (before ? before.state === state : state === 'healthy') return undefined;
  // The first one is named by who found it: a ledger that was lost and made anew must not repeat an old id.
  const chain = before?.fingerprint || workflowId;
  const hash = createHash('sha256').update(JSON.stringify([source, subject, state, chain]));
  return `msg_${hash.digest('hex').slice(0, 32)}`;
}

/** What is sent: the same text to the topic and to the webhook, in the form that Standard Webhooks recommend. */
export function messageBody(health: Health, at: Date): string {
  const { subject, source, state, reason, code, workflowId } = health;
  const data = { subject, source, state, reason: shortened(reason), ...(code ? { code } : {}), workflowId };
  return JSON.stringify({ type: messageType(health), timestamp: at.toISOString(), data });
}

/** Attributes of the Pub/Sub message, so that a subscription can filter by them. */
export function messageAttributes(health: Health, id: string): Record<string, string> {
  const { subject, source, state, code } = health;
  return { id, type: messageType(health), subject, source, state, ...(code ? { code } : {}) };
}

/** A reason in one line of bounded length. */
export function shortened(reason: string): string {
  const line = reason.replaceAll(/\s+/g, ' ').trim();
  return line.length > REASON_LENGTH ? `${line.slice(0, REASON_LENGTH - 1)}…` : line;
}

const messageType = ({ state }: Health): string => (state === 'failed' ? 'health.failed' : 'health.recovered');
