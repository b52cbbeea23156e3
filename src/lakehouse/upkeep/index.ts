export { findStale } from './stale.ts';
export type { Finding } from './stale.ts';
export { reconcileBronze } from './reconcile.ts';
export type { ReconcileResources, Reconciliation } from './reconcile.ts';
export { missedFiles } from './missed-files.ts';
