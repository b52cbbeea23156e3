export {
  AUDIT_OF_PROPERTY,
  AUDIT_SNAPSHOT_PROPERTY,
  createAuditTable,
  dropAuditTable,
  listAudits,
  mergeIntoAudit,
} from './audit.ts';
export type { Audit, AuditMerge, AuditRun } from './audit.ts';
export { auditName, auditPrefix, auditSuffix } from './audit-name.ts';
export { commitWaiting, GROUP_PROPERTY, MAX_GROUP } from './commit-waiting.ts';
export type { CommitterResources } from './commit-waiting.ts';
export { compact } from './compact.ts';
export type { CompactionPolicy } from './compact.ts';
export { EXPIRE_ABOVE, expireSnapshots, MAX_SNAPSHOTS, mustExpire, snapshotsToKeep } from './expiry.ts';
export { digestTable, exportColumns, exportTable } from './export.ts';
export type { AsOf } from './export.ts';
export { ORPHAN_AGE_MS, sweepOrphans, sweepStaged } from './orphans.ts';
export { sweepOps } from './sweep-ops.ts';
export { groupsOfSnapshots, STREAMED_AGE_MS } from './sweep-streamed.ts';
export type { SweptOps } from './sweep-ops.ts';
export { REBUILD_PROPERTY, rebuildTable } from './rebuild.ts';
export { ensureSilverTable } from './silver-table.ts';
