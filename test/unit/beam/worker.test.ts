import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';
import { PROJECT } from '../../../scripts/tools.ts';

// What comes after these is in `npm run test:dataflow`: there a runner gives the worker its work.

/** Starts a worker whose runner is not there, and says how it ends. */
function work(options: object): { status: number | null; stderr: string } {
  const args = ['--id=1', '--control_endpoint=localhost:1', `--options=${JSON.stringify({ options })}`];
  const { PATH } = process.env;
  return spawnSync(process.execPath, [path.join(PROJECT, 'beam/worker.ts'), ...args], {
    env: { PATH },
    encoding: 'utf8',
    timeout: 50_000,
  });
}

const MODULES = [
  'cupel/beam/fns',
  'cupel/beam/sources/pull-fns',
  'cupel/beam/streaming/pane-fns',
  'apache-beam/values',
];
const ENVIRONMENT = { cupel_environment: { CUPEL_PROJECT: 'p-1' } };

test('a worker loads every module that a job registers, goes to its runner, and ends without one', () => {
  const { status, stderr } = work({ registered_node_modules: MODULES, ...ENVIRONMENT });
  expect(stderr).toContain('UNAVAILABLE');
  expect(stderr).not.toContain('Unable to require');
  expect(status).toBe(1);
});

test('a module that is not there is named', () => {
  const { status, stderr } = work({ registered_node_modules: ['cupel/beam/none'], ...ENVIRONMENT });
  expect(`${status} ${stderr}`).toContain("1 **ERROR**\n      Unable to require module 'cupel/beam/none'");
});

test('a worker without the variables of its job does not start', () => {
  const { status, stderr } = work({ registered_node_modules: MODULES });
  expect(stderr).toContain('CUP_ENVIRONMENT_INVALID');
  expect(status).toBe(1);
});
