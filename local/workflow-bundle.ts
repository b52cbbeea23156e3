import { stat } from 'node:fs/promises';
import path from 'node:path';
import { cacheDirectory } from '../scripts/tools.ts';
import { workflowSources, writeBundle } from '../src/worker/bundle.ts';

/** Path of the workflows' bundle, made where there is none for these sources: webpack takes seconds. */
export async function workflowBundle(): Promise<string> {
  const file = path.join(cacheDirectory(), 'bundles', `${(await workflowSources()).slice(0, 32)}.js`);
  if (!(await stat(file).catch(() => undefined))) await writeBundle(file);
  return file;
}
