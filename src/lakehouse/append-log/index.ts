export { appendBatches } from './append-batches.ts';
export { avroSchema } from './avro-rows.ts';
export { logFolder, logUri } from './log-name.ts';
export type { LogPlace } from './log-name.ts';
export { mergeObject } from './merge-object.ts';
export type { LogResources, MergedObject } from './merge-object.ts';
export { logState, readLog } from './read-log.ts';
