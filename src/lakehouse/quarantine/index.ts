export { acceptedEntries } from './judge.ts';
export { readQuarantine } from './list.ts';
export { markEntries, redriveEvents } from './mark.ts';
export type { RedriveRun } from './mark.ts';
export { preparePage } from './prepare-page.ts';
export { countEntries, cutPages, pageUri, rangeOf, readPage, writePages } from './redrive-plan.ts';
export type { RedriveCounts, RedrivePage } from './redrive-plan.ts';
export type { FileKept, ObjectKept, RecordKept } from './kept.ts';
export type { QuarantineEntry, QuarantineFilter } from './types.ts';
