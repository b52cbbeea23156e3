import { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toolPath } from '../../scripts/tools.ts';
import { findStoppedSchedules } from '../../src/activities/monitor.ts';

let env: TestWorkflowEnvironment;

beforeAll(async () => {
  env = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'existing-path', path: toolPath('temporal') } },
  });
});
afterAll(() => env.teardown());

const schedule = (scheduleId: string, app: string, state: { paused?: boolean; note?: string } = {}) =>
  env.client.schedule.create({
    scheduleId,
    spec: { intervals: [{ every: '1h' }] },
    action: { type: 'startWorkflow', workflowType: 'tick', taskQueue: 'nobody', args: [] },
    memo: { app, env: 'test' },
    state,
  });

test('schedules that are paused or that nobody starts are found, and those of others are left alone', async () => {
  await schedule('poll', 'cupel');
  await schedule('nightly', 'cupel', { paused: true, note: 'while the feed is moved' });
  await schedule('theirs', 'other', { paused: true });
  const look = async (now: number) => {
    const findings = await findStoppedSchedules(env.client, 'test', now);
    return Object.fromEntries(findings.map(({ subject, state }) => [subject, state]));
  };
  // The list is a search index: new schedules are in it a moment later.
  await expect
    .poll(() => look(Date.now()), { timeout: 20_000 })
    .toEqual({ 'freshness/schedule/poll': 'healthy', 'freshness/schedule/nightly': 'failed' });
  const paused = (await findStoppedSchedules(env.client, 'test', Date.now())).find(({ state }) => state === 'failed');
  expect(paused).toMatchObject({ reason: 'paused: while the feed is moved', source: '' });
  // Two hours on, the action of the next hour has not been started.
  expect(await look(Date.now() + 2 * 3_600_000)).toMatchObject({ 'freshness/schedule/poll': 'failed' });
});
