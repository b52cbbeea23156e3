export { commitWaiting, GROUP_PROPERTY, MAX_GROUP } from './commit-waiting.ts';
export type { CommitterResources } from './commit-waiting.ts';
export { compact } from './compact.ts';
export type { CompactionPolicy } from './compact.ts';
export { EXPIRE_ABOVE, expireSnapshots, MAX_SNAPSHOTS, snapshotsToKeep } from './expiry.ts';
export { digestTable, exportColumns, exportTable } from './export.ts';
export type { AsOf } from './export.ts';
export { ORPHAN_AGE_MS, sweepOrphans, sweepStaged } from './orphans.ts';
export { ensureSilverTable, tableName } from './silver-table.ts';
