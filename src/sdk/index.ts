export { compileContract } from '../contracts/index.ts';
export type { CompiledContract } from '../contracts/index.ts';
export { CupelError } from '../errors.ts';
export { CupelClient } from './client.ts';
export type { BatchingOptions, ClientOptions, PublishOptions, Receipt, SourceClient } from './client.ts';
