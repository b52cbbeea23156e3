import { expect, test } from 'vitest';
import { Backlog } from '../../../beam/streaming/backlog.ts';
import type { Manifest } from '../../../src/lakehouse/deltas/index.ts';

const DAY = 24 * 3_600_000;

/** A backlog whose batches have no outcome. */
function backlog(published: boolean, ageMs: number): Backlog {
  const manifest = published ? ({} as Manifest) : undefined;
  const deltas = { readDone: () => Promise.resolve(undefined), readManifest: () => Promise.resolve(manifest) };
  const made = new Backlog(deltas, 60_000);
  made.add({ batchId: 'b', table: 't', atMs: Date.now() - ageMs });
  return made;
}

test('a stream waits for a batch that nobody commits, however long', async () => {
  expect(await backlog(true, 50 * DAY).lagMs()).toBeGreaterThanOrEqual(50 * DAY);
});

test('a stream without messages for weeks does not wait for a batch that was settled and swept meanwhile', async () => {
  expect(await backlog(false, 50 * DAY).lagMs()).toBe(0);
});

test('a young batch is never taken as swept', async () => {
  expect(await backlog(false, DAY / 2).lagMs()).toBeGreaterThan(0);
});
