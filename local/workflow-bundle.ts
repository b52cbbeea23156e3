import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { cacheDirectory, PROJECT } from '../scripts/tools.ts';

const WORKFLOWS = path.join(PROJECT, 'src/workflows');

async function bundleName(): Promise<string> {
  const hash = createHash('sha256').update(await readFile(path.join(PROJECT, 'package-lock.json')));
  for (const name of (await readdir(WORKFLOWS, { recursive: true })).filter((file) => file.endsWith('.ts')).sort()) {
    hash.update(name).update(await readFile(path.join(WORKFLOWS, name)));
  }
  return `${hash.digest('hex').slice(0, 32)}.js`;
}

/** Path of the workflows' bundle, made where there is none for these sources: webpack takes seconds. */
export async function workflowBundle(): Promise<string> {
  const directory = path.join(cacheDirectory(), 'bundles');
  const file = path.join(directory, await bundleName());
  if (await stat(file).catch(() => undefined)) return file;
  await mkdir(directory, { recursive: true });
  const { code } = await bundleWorkflowCode({
    workflowsPath: path.join(WORKFLOWS, 'index.ts'),
    logger: new DefaultLogger('ERROR'),
  });
  // Another process may make the same one: the name appears whole or not at all.
  const part = `${file}.${process.pid}`;
  await writeFile(part, code);
  await rename(part, file);
  return file;
}
