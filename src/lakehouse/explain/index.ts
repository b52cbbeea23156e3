export { explain } from './explain.ts';
export type { ExplainResources } from './explain.ts';
export { labelOf, readPlaces } from './gold.ts';
export type { GoldReach } from './gold.ts';
export { readKey } from './key.ts';
export type { Explanation, RecordStory, RowSince, RowStory } from './types.ts';
