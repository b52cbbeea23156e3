export { batchEvents } from './batch-events.ts';
export { arrivalEvent, ledgerEvent } from './events.ts';
export type { EventKind, LedgerEvent } from './events.ts';
export { Ledger } from './ledger.ts';
export type { LedgerState } from './ledger.ts';
export { rebuildLedger } from './rebuild.ts';
