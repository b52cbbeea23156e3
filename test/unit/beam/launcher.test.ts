import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROJECT } from '../../../scripts/tools.ts';

let directory: string;

/** Stands in for Beam's parser, which the real one is checked with in `npm run test:dataflow`: a flag becomes an option. */
const OPTIONS = `
class PipelineOptions:
    def __init__(self, flags):
        self.options = dict(flag.lstrip("-").split("=", 1) for flag in flags)

    def get_all_options(self, drop_default):
        return dict(self.options)
`;

/** Stands in for Node: prints what it is called with, and ends as it is told. */
const NODE = `#!/bin/sh
for argument in "$@"; do echo "$argument"; done
echo "project=$CUPEL_PROJECT region=$CUPEL_REGION"
exit \${END:-0}
`;

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'cupel-test-'));
  const modules = path.join(directory, 'apache_beam/options');
  mkdirSync(modules, { recursive: true });
  for (const folder of [modules, path.dirname(modules)]) writeFileSync(path.join(folder, '__init__.py'), '');
  writeFileSync(path.join(modules, 'pipeline_options.py'), OPTIONS);
  writeFileSync(path.join(directory, 'node'), NODE, { mode: 0o755 });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function launch(args: string[], variables: Record<string, string> = {}) {
  const launcher = path.join(PROJECT, 'beam/deploy/launcher.py');
  const { PATH } = process.env;
  const env = { PATH, PYTHONPATH: directory, PYTHONDONTWRITEBYTECODE: '1', CUPEL_NODE: path.join(directory, 'node') };
  const { status, stdout, stderr } = spawnSync('python3', [launcher, ...args], {
    env: { ...env, ...variables },
    encoding: 'utf8',
  });
  return { status, lines: stdout.trim().split('\n'), stderr };
}

test("the template's parameters go to the job, everything else as JSON of pipeline options", () => {
  const { status, lines, stderr } = launch([
    '--chunk=gs://ops/chunks/a.json',
    '--runner=DataflowRunner',
    '--contract=gs://ops/contracts/s/b.json',
    '--project=p-1',
    '--region=europe-west1',
    '--template_location=gs://ops/template_launches/1/job_object',
  ]);
  expect(`${status} ${stderr}`).toBe('0 ');
  expect(lines.slice(0, -2)).toEqual([
    path.join(PROJECT, 'beam/main.ts'),
    '--chunk=gs://ops/chunks/a.json',
    '--contract=gs://ops/contracts/s/b.json',
    '--runner=dataflow',
  ]);
  expect(JSON.parse(lines.at(-2)?.replace('--pipeline-options=', '') ?? '')).toEqual({
    project: 'p-1',
    region: 'europe-west1',
    template_location: 'gs://ops/template_launches/1/job_object',
  });
  expect(lines.at(-1)).toBe('project=p-1 region=europe-west1');
});

test("the image's environment wins over the launch's project", () => {
  const { lines } = launch(['--chunk=c', '--contract=d', '--project=other'], { CUPEL_PROJECT: 'own' });
  expect(lines.at(-1)).toBe('project=own region=');
});

test('a job that fails fails the launch, with its code', () => {
  expect(launch(['--chunk=c', '--contract=d'], { END: '3' }).status).toBe(3);
});
