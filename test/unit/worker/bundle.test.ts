import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { workflowBundle, workflowSources } from '../../../src/worker/bundle.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cupel-bundle-'));
});
afterAll(() => rm(folder, { recursive: true }));

const missing = (details: object) =>
  expect.objectContaining({ code: 'CUP_BUNDLE_MISSING', details: expect.objectContaining(details) });

test('the file that is named is taken', async () => {
  const file = path.join(folder, 'workflows.js');
  await writeFile(file, '');
  expect(await workflowBundle({ CUPEL_WORKFLOW_BUNDLE: file })).toEqual({ codePath: file });
});

test('a named file that is not there is an error', () =>
  expect(workflowBundle({ CUPEL_WORKFLOW_BUNDLE: path.join(folder, 'none.js') })).rejects.toThrow(
    missing({ variable: 'CUPEL_WORKFLOW_BUNDLE' }),
  ));

test('production wants the bundle made beforehand, of these sources', async () => {
  const built = path.join(folder, 'dist/workflows.js');
  const production = { NODE_ENV: 'production' };
  await expect(workflowBundle(production, built)).rejects.toThrow(missing({ file: built, advice: 'npm run bundle' }));
  await mkdir(path.dirname(built));
  await writeFile(built, '');
  await writeFile(`${built}.sources`, 'other');
  await expect(workflowBundle(production, built)).rejects.toThrow(missing({ found: 'one of other sources' }));
  await writeFile(`${built}.sources`, await workflowSources());
  expect(await workflowBundle(production, built)).toEqual({ codePath: built });
});
