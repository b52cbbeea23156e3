import { expect, test } from 'vitest';
import { runModule as run } from '../../support/sdk-process.ts';

const POLYFILL = `import './beam/sdk-fixes/node-24.ts';`;
const FIXES = `import './beam/sdk-fixes/index.ts';`;

/** A pipeline whose DoFn does what it does only later; prints what came out of it. */
const asyncJob = (fixes: string, doFn: string): string => `
  ${fixes}
  import { createRequire } from 'node:module';
  const require = createRequire(process.cwd() + '/');
  const beam = require('apache-beam');
  const { directRunner } = require('apache-beam/runners/direct_runner');
  const { requireForSerialization } = require('apache-beam/serialization');
  const { inGlobalWindow } = await import('./beam/sdk.ts').catch(() => ({}));
  const later = (value) => new Promise((resolve) => setTimeout(resolve, 5, value));
  const out = [];
  class Later { ${doFn} }
  class Keep { process(value) { out.push(value); } }
  requireForSerialization('test', { Later, Keep, out });
  await directRunner().run((root) =>
    root.apply(beam.create([1, 2, 3])).apply(beam.withName('later', beam.parDo(new Later()))).apply(beam.withName('keep', beam.parDo(new Keep()))));
  console.log('OUT ' + JSON.stringify(out.sort()));`;

const PROCESS = 'async process(value) { return [await later(value * 2)]; }';

test('node-24: without it apache-beam does not load, with it it does', () => {
  const load = `import { createRequire } from 'node:module'; createRequire(process.cwd() + '/')('apache-beam'); console.log('loaded');`;
  expect(run(load).stderr).toContain('isPrimitive');
  expect(run(`${POLYFILL}\n${load}`).stdout).toContain('loaded');
});

test('async-dofn: without it what an async process returns is lost or fails, with it it arrives', () => {
  const without = asyncJob(POLYFILL, PROCESS).replace("await import('./beam/sdk.ts').catch(() => ({}))", '{}');
  expect(run(without).stdout).not.toContain('OUT [2,4,6]');
  expect(run(asyncJob(FIXES, PROCESS)).stdout).toContain('OUT [2,4,6]');
});

test.each([
  ['an async generator as process', 'async *process(value) { yield await later(value * 2); }'],
  [
    'a bundle that collects, works side by side, and yields when it is finished',
    `startBundle() { this.work = []; }
     process(value) { this.work.push(later(value * 2)); }
     async *finishBundle() { for (const value of await Promise.all(this.work)) yield inGlobalWindow(value); }`,
  ],
  [
    'a start of a bundle that is awaited',
    `async startBundle() { this.factor = await later(2); }
     process(value) { return [value * this.factor]; }`,
  ],
])('async-dofn: %s', (_, doFn) => {
  const { stdout, stderr } = run(asyncJob(FIXES, doFn));
  expect(`${stdout}${stdout.includes('OUT') ? '' : stderr}`).toContain('OUT [2,4,6]');
});

test('async-dofn: a process that rejects fails the job', () => {
  const { status, stderr } = run(
    asyncJob(FIXES, "async process() { await later(1); throw new Error('refused by the test'); }"),
  );
  expect(status).not.toBe(0);
  expect(stderr).toContain('refused by the test');
});
