import type { EventKind, Ledger, LedgerEvent, LedgerState } from '../../src/lakehouse/ledger/index.ts';

/** A ledger in memory: the last event of each subject. */
export type MemoryLedger = Pick<Ledger, 'append' | 'latest'>;

/** Makes an empty one. */
export function memoryLedger(): MemoryLedger {
  const newest = new Map<string, LedgerEvent>();
  return {
    append(events) {
      for (const event of events) newest.set(`${event.kind} ${event.source} ${event.subject}`, event);
      return Promise.resolve();
    },
    latest(source: string, kinds: EventKind[]): Promise<LedgerState[]> {
      const found = [...newest.values()].filter((event) => event.source === source && kinds.includes(event.kind));
      return Promise.resolve(
        found.map(({ kind, subject, state, fingerprint, occurred_at: occurredAt, detail }) => ({
          kind,
          subject,
          state,
          fingerprint,
          occurredAt,
          detail: JSON.parse(detail) as Record<string, unknown>,
        })),
      );
    },
  };
}
