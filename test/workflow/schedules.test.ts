import { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toolPath } from '../../scripts/tools.ts';
import { applyChanges, findChanges, readStates } from '../../src/schedules/index.ts';
import type { Change, DeclaredSchedule } from '../../src/schedules/index.ts';

let env: TestWorkflowEnvironment;

beforeAll(async () => {
  env = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'existing-path', path: toolPath('temporal') } },
  });
});
afterAll(() => env.teardown());

function schedule(id: string, replace: Partial<DeclaredSchedule> = {}): DeclaredSchedule {
  return {
    id,
    tick: { kind: 'monitor' },
    timing: { atMinutes: [90, 1110], on: ['MONDAY', 'FRIDAY'], timeZone: 'Europe/Berlin' },
    jitterSeconds: 60,
    overlap: 'bufferOne',
    catchupSeconds: 3600,
    pauseOnFailure: true,
    ...replace,
  };
}

const every = (everySeconds: number) => ({ timing: { everySeconds, offsetSeconds: 0 } });

/** Finds and applies; each test has an environment of its own. */
async function apply(name: string, declared: DeclaredSchedule[], remove = false): Promise<Change[]> {
  const changes = await findChanges(env.client, declared, name, remove);
  await applyChanges(env.client, changes, declared, name);
  return changes;
}

const actions = (changes: Change[]) => changes.map(({ id, action }) => `${action} ${id}`);

const handle = (id: string) => env.client.schedule.getHandle(id);

/** The list of schedules is a search index: a new one is in it a moment later. */
const listed = (name: string, ids: string[]) =>
  expect.poll(async () => (await readStates(env.client, name)).map(({ id }) => id), { timeout: 20_000 }).toEqual(ids);

test('applying twice changes nothing the second time', async () => {
  const declared = [schedule('a/1'), schedule('a/2', every(900))];
  expect(actions(await apply('a', declared))).toEqual(['create a/1', 'create a/2']);
  expect(actions(await apply('a', declared))).toEqual(['keep a/1', 'keep a/2']);
});

test('what differs is shown and mended, whoever changed it; paused state and note stay', async () => {
  await apply('b', [schedule('b/1')]);
  await handle('b/1').pause('the feed is moved');
  const [mine] = await apply('b', [schedule('b/1', { overlap: 'skip' })]);
  expect(mine).toMatchObject({
    action: 'update',
    paused: 'the feed is moved',
    differences: [{ field: 'overlap', from: 'BUFFER_ONE', to: 'SKIP' }],
  });
  expect((await handle('b/1').describe()).state).toMatchObject({ paused: true, note: 'the feed is moved' });
  // Somebody else's hand: another time, and an action of its own.
  await handle('b/1').update((known) => ({
    ...known,
    spec: { intervals: [{ every: '5m' }] },
    action: { ...known.action, args: [{ kind: 'ingest' }] },
  }));
  const drifted = async (): Promise<string[]> => {
    const [change] = await findChanges(env.client, [schedule('b/1', { overlap: 'skip' })], 'b');
    return change?.action === 'update' ? change.differences.map(({ field }) => field) : [];
  };
  await expect.poll(drifted, { timeout: 20_000 }).toEqual(['when', 'jitter', 'starts']);
  await apply('b', [schedule('b/1', { overlap: 'skip' })]);
  expect(await drifted()).toEqual([]);
  expect((await handle('b/1').describe()).state).toMatchObject({ paused: true, note: 'the feed is moved' });
});

test('an update that somebody else overtook is seen and made again', async () => {
  await apply('c', [schedule('c/1', every(60))]);
  const declared = [schedule('c/1', every(120))];
  const changes = await findChanges(env.client, declared, 'c');
  const { workflowService } = env.client.schedule;
  const send = workflowService.updateSchedule.bind(workflowService);
  let sent = 0;
  // The other hand is between our look and our update, once.
  workflowService.updateSchedule = (async (request: Parameters<typeof send>[0]) => {
    sent += 1;
    if (sent === 1) {
      const { conflictToken } = (await handle('c/1').describe()).raw;
      await handle('c/1').pause('overtaken');
      await expect
        .poll(async () => (await handle('c/1').describe()).raw.conflictToken, { timeout: 20_000 })
        .not.toEqual(conflictToken);
    }
    return send(request);
  }) as typeof workflowService.updateSchedule;
  try {
    await applyChanges(env.client, changes, declared, 'c');
  } finally {
    workflowService.updateSchedule = send as typeof workflowService.updateSchedule;
  }
  expect(sent).toBe(2);
  const { spec, state } = await handle('c/1').describe();
  expect(spec.intervals).toMatchObject([{ every: 120_000 }]);
  expect(state).toMatchObject({ paused: true, note: 'overtaken' });
});

test('what vanished is paused with a note, once, and deleted only when that is wanted', async () => {
  const declared = [schedule('d/1'), schedule('d/2')];
  await apply('d', declared);
  await listed('d', ['d/1', 'd/2']);
  expect(actions(await apply('d', declared.slice(0, 1)))).toEqual(['keep d/1', 'pause d/2']);
  const paused = async () => (await handle('d/2').describe()).state;
  await expect.poll(paused, { timeout: 20_000 }).toMatchObject({ paused: true });
  expect((await paused()).note).toMatch(/^not in the files of schedules since /);
  expect(actions(await apply('d', declared.slice(0, 1)))).toEqual(['keep d/1', 'keep d/2']);
  // Back in the files it stays paused: that belongs to people.
  expect(await apply('d', declared)).toMatchObject([{ id: 'd/1' }, { id: 'd/2', action: 'keep', paused: /^not in/ }]);
  expect(actions(await apply('d', declared.slice(0, 1), true))).toEqual(['keep d/1', 'delete d/2']);
  await listed('d', ['d/1']);
});

test("others' schedules are left alone, and one of ours that has their id is refused", async () => {
  await env.client.schedule.create({
    scheduleId: 'e/1',
    spec: { intervals: [{ every: '1h' }] },
    action: { type: 'startWorkflow', workflowType: 'theirs', taskQueue: 'theirs' },
    memo: { app: 'cupel', env: 'another' },
  });
  await listed('another', ['e/1']);
  expect(await findChanges(env.client, [], 'e', true)).toEqual([]);
  await expect(findChanges(env.client, [schedule('e/1')], 'e')).rejects.toMatchObject({ code: 'CUP_SCHEDULE_FOREIGN' });
});
