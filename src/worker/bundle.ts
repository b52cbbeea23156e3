import { createHash } from 'node:crypto';
import { access, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cupelError } from '../errors.ts';

const PROJECT = path.dirname(path.dirname(import.meta.dirname));
const WORKFLOWS = path.join(PROJECT, 'src/workflows');

/** The bundle that `npm run bundle` writes and that a worker takes where `NODE_ENV` is `production`. */
export const BUILT_BUNDLE = path.join(PROJECT, 'dist/workflows.js');

/** What a bundle was made of: SHA-256 over the workflows' files and the version of the SDK, which must be the worker's. */
export async function workflowSources(): Promise<string> {
  const sdk = await readFile(path.join(PROJECT, 'node_modules/@temporalio/worker/package.json'), 'utf8');
  const hash = createHash('sha256').update((JSON.parse(sdk) as { version: string }).version);
  for (const name of (await readdir(WORKFLOWS, { recursive: true })).filter((file) => file.endsWith('.ts')).sort())
    hash.update(name).update(await readFile(path.join(WORKFLOWS, name)));
  return hash.digest('hex');
}

/** Makes a bundle of the workflows: seconds of webpack. */
export async function bundleWorkflows(): Promise<string> {
  // Loaded here, since whoever only asks for the name of a bundle pays for none of it.
  const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker');
  const { code } = await bundleWorkflowCode({
    workflowsPath: path.join(WORKFLOWS, 'index.ts'),
    workflowInterceptorModules: [path.join(WORKFLOWS, 'lineage/interceptors.ts')],
    logger: new DefaultLogger('WARN'),
  });
  return code;
}

async function replace(file: string, content: string): Promise<void> {
  const part = `${file}.${process.pid}`;
  await writeFile(part, content);
  await rename(part, file);
}

/** Makes a bundle and writes it whole or not at all, for another process may write or read the same file. */
export async function writeBundle(file: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  const sources = await workflowSources();
  await replace(file, await bundleWorkflows());
  await replace(`${file}.sources`, sources);
}

async function builtBundle(file: string): Promise<string> {
  const advice = 'npm run bundle';
  const sources = await readFile(`${file}.sources`, 'utf8').catch(() => undefined);
  const there = await access(file).then(
    () => true,
    () => false,
  );
  if (!there || !sources) throw cupelError('CUP_BUNDLE_MISSING', { file, advice });
  // Activities and workflows of two releases in one worker would fail in ways that nobody finds.
  if (sources !== (await workflowSources()))
    throw cupelError('CUP_BUNDLE_MISSING', { file, found: 'one of other sources', advice });
  return file;
}

/**
 * The workflows' code for a worker: the file that `CUPEL_WORKFLOW_BUNDLE` names; with `NODE_ENV=production` the one of
 * `npm run bundle`; else one made now.
 *
 * @throws CupelError CUP_BUNDLE_MISSING in production, and where the named file is not there
 */
export async function workflowBundle(
  env: Record<string, string | undefined> = process.env,
  built = BUILT_BUNDLE,
): Promise<{ codePath: string } | { code: string }> {
  const { CUPEL_WORKFLOW_BUNDLE: named } = env;
  if (named) {
    await access(named).catch((error: unknown) => {
      throw cupelError('CUP_BUNDLE_MISSING', { file: named, variable: 'CUPEL_WORKFLOW_BUNDLE' }, error);
    });
    return { codePath: named };
  }
  return env.NODE_ENV === 'production' ? { codePath: await builtBundle(built) } : { code: await bundleWorkflows() };
}
