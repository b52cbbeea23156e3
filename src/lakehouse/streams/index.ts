export { stampedChunk, stampOf, toStreamChunk } from './batch.ts';
export type { MessageStamp } from './batch.ts';
export { MESSAGE_FOLDER, streamedRecord } from './record.ts';
export type { StreamedMessage, StreamedRecord } from './record.ts';
export { StreamFollower } from './follow.ts';
export type { FollowState, OpenBatch } from './follow.ts';
export { streamSubscription } from './subscription.ts';
export { StreamLog } from './stream-log.ts';
export type { StreamEntry } from './stream-log.ts';
