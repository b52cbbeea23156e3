import { afterEach, expect, test } from 'vitest';
import { freePort } from '../../../local/ports.ts';
import { startHealth } from '../../../src/worker/health.ts';
import type { Checks } from '../../../src/worker/health.ts';

let server: Awaited<ReturnType<typeof startHealth>> | undefined;
afterEach(() => server?.stop());

const reachable = () => Promise.resolve();

async function ask(checks: Checks, path: string, method = 'GET'): Promise<{ status: number; body: unknown }> {
  server = await startHealth({ host: '127.0.0.1', port: await freePort() }, checks);
  const response = await fetch(`${server.url}${path}`, { method });
  return { status: response.status, body: await response.json() };
}

const ready = { workers: () => ({ a: 'RUNNING', b: 'RUNNING' }), temporal: reachable };

test('ready: every worker runs and Temporal answers', async () =>
  expect(await ask(ready, '/readyz')).toEqual({
    status: 200,
    body: { ready: true, workers: { a: 'RUNNING', b: 'RUNNING' }, temporal: 'reachable' },
  }));

test('not ready: the worker that does not run is named', async () =>
  expect(await ask({ ...ready, workers: () => ({ a: 'RUNNING', b: 'STOPPING' }) }, '/readyz')).toMatchObject({
    status: 503,
    body: { ready: false, workers: { b: 'STOPPING' } },
  }));

test('not ready: no worker was made yet', async () =>
  expect(await ask({ ...ready, workers: () => ({}) }, '/readyz')).toMatchObject({ status: 503 }));

test('not ready: Temporal does not answer, and why', async () =>
  expect(await ask({ ...ready, temporal: () => Promise.reject(new Error('no route')) }, '/readyz')).toMatchObject({
    status: 503,
    body: { temporal: 'no route' },
  }));

test('alive is alive, ready or not', async () =>
  expect(await ask({ ...ready, workers: () => ({}) }, '/healthz')).toEqual({ status: 200, body: { alive: true } }));

test('nothing else is there', async () => {
  expect(await ask(ready, '/')).toMatchObject({ status: 404 });
  await server?.stop();
  expect(await ask(ready, '/readyz', 'POST')).toMatchObject({ status: 405 });
});
