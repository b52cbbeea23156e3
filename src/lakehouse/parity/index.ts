export { compareTables } from './compare.ts';
export type { CompareOptions } from './compare.ts';
export type {
  ComparedTable,
  Comparison,
  Difference,
  DifferenceKind,
  Half,
  JsonValue,
  Provenance,
  VersionOfKey,
  WrittenBy,
} from './types.ts';
export { confirmed, mergeHalves, readReport, writeReport } from './report.ts';
export { commitShadow, dropShadow, listShadows, newestSnapshot, openShadow, shadowContract } from './shadow.ts';
export type { Shadow, ShadowResources, ShadowRun } from './shadow.ts';
