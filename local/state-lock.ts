import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { identityOf, runs } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';

const lockFile = (stateDirectory: string): string => path.join(stateDirectory, 'cloud.lock');

function holderOf(file: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity;
  } catch {
    return undefined; // gone, or cut off by a kill
  }
}

/**
 * Takes a state folder for this process, from before its first server to after its last one: two clouds on one folder would end
 * each other's servers. What a killed one left is taken over.
 *
 * @returns gives it back
 * @throws Error when a cloud starts, runs or ends there
 */
export function lockState(stateDirectory: string): () => void {
  const file = lockFile(stateDirectory);
  for (;;) {
    try {
      writeFileSync(file, JSON.stringify(identityOf(process.pid)), { flag: 'wx' });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = holderOf(file);
    if (holder && runs(holder))
      throw new Error(`a cloud starts, runs or ends on ${stateDirectory} already (process ${holder.pid})`);
    rmSync(file, { force: true });
  }
}
