import { createHash } from 'node:crypto';

/** What the ledger tells about. */
export type EventKind =
  | 'arrival'
  | 'file'
  | 'gap'
  | 'missing'
  | 'partition'
  | 'batch'
  | 'quarantine'
  | 'redrive'
  | 'rebuild'
  | 'materialization'
  | 'assertion'
  | 'freshness'
  | 'health'
  | 'reconciliation'
  | 'upkeep';

/** One row of `ops.events`. */
export interface LedgerEvent {
  /** The same fact has the same id, so that a retry or a second witness adds nothing. */
  event_id: string;
  kind: EventKind;
  source: string;
  /** What the event is about: an object and its generation, a partition, a batch. */
  subject: string;
  state: string;
  fingerprint: string;
  /** RFC 3339. */
  occurred_at: string;
  /** JSON, without payload values. */
  detail: string;
}

/**
 * Makes an event; its id comes from kind, source, subject, state, fingerprint and cause, never from a clock.
 *
 * @param cause what made it so, where the same state may come twice: a batch, a run. Default: it comes once
 */
export function ledgerEvent(
  kind: EventKind,
  source: string,
  subject: string,
  state: string,
  fingerprint = '',
  detail: object = {},
  now = new Date(),
  cause?: string,
): LedgerEvent {
  const event_id = createHash('sha256')
    .update(JSON.stringify([kind, source, subject, state, fingerprint, ...(cause === undefined ? [] : [cause])]))
    .digest('hex');
  return {
    event_id,
    kind,
    source,
    subject,
    state,
    fingerprint,
    occurred_at: now.toISOString(),
    detail: JSON.stringify(detail),
  };
}

/** An object of Bronze arrived; whoever sees it first registers it. */
export function arrivalEvent(
  source: string,
  object: { name: string; generation: string },
  found: { ok: boolean; code?: string; detail?: string },
): LedgerEvent {
  const state = found.ok ? 'verified' : 'refused';
  return ledgerEvent(
    'arrival',
    source,
    `${object.name}#${object.generation}`,
    state,
    '',
    found.ok ? {} : { code: found.code, detail: found.detail },
  );
}
