export { LineageEmitter } from './emitter.ts';
export type { EmitterReports, Gather } from './emitter.ts';
export { fileTransport, httpTransport } from './transports/index.ts';
export type { Transport } from './transports/index.ts';
export { jobEvent, runEvent } from './runs.ts';
export type { Moment, Work } from './runs.ts';
export { runIdOf } from './run-id.ts';
export type * from './types.ts';
