import path from 'node:path';
import type { Cloud } from './cloud.ts';
import type { ProcessIdentity } from './process-identity.ts';

/** What a running cloud says of itself, in `<state>/cloud.json`. */
export interface CloudFile extends ProcessIdentity {
  env: Record<string, string>;
  urls: Cloud['urls'];
}

/** Where a running cloud says so. */
export const cloudFile = (stateDirectory: string): string => path.join(stateDirectory, 'cloud.json');
