import { expect, test } from 'vitest';
import { messageAttributes, messageBody, turnId } from '../../../src/notifications/index.ts';
import type { Health } from '../../../src/notifications/index.ts';

const failed: Health = {
  subject: 'gold',
  source: 'gold',
  state: 'failed',
  reason: 'it\n  broke',
  code: 'CUP_GOLD_BYTES_CAP',
  workflowId: 'gold/2025-05-04',
};
const healthy: Health = { ...failed, state: 'healthy', reason: 'well' };
const toldAs = (state: string, fingerprint: string) => ({ state, fingerprint });

test('only a turn is told', () => {
  expect(turnId(healthy, undefined)).toBeUndefined();
  expect(turnId(failed, undefined)).toMatch(/^msg_[0-9a-f]{32}$/);
  expect(turnId(failed, toldAs('failed', 'msg_1'))).toBeUndefined();
  expect(turnId(healthy, toldAs('healthy', 'msg_1'))).toBeUndefined();
  expect(turnId(healthy, toldAs('failed', 'msg_1'))).toBeDefined();
});

test('a turn has one id whoever finds it, and every turn has another', () => {
  const recovery = turnId(healthy, toldAs('failed', 'msg_1'));
  expect(turnId({ ...healthy, workflowId: 'gold/2025-05-05', reason: 'other' }, toldAs('failed', 'msg_1'))).toBe(
    recovery,
  );
  const ids = [recovery, turnId(healthy, toldAs('failed', 'msg_2')), turnId(failed, toldAs('healthy', 'msg_1'))];
  expect(new Set(ids).size).toBe(3);
});

test('the message says what, why and where to look, in one line of bounded length', () => {
  const body = JSON.parse(messageBody(failed, new Date('2025-05-05T00:00:00Z'))) as { data: Record<string, string> };
  expect(body).toEqual({
    type: 'health.failed',
    timestamp: '2025-05-05T00:00:00.000Z',
    data: { ...failed, reason: 'it broke' },
  });
  const long = JSON.parse(messageBody({ ...healthy, reason: 'x'.repeat(1000) }, new Date(0))) as typeof body;
  expect(long.data.reason).toHaveLength(500);
  expect(messageAttributes(healthy, 'msg_1')).toEqual({
    id: 'msg_1',
    type: 'health.recovered',
    subject: 'gold',
    source: 'gold',
    state: 'healthy',
    code: 'CUP_GOLD_BYTES_CAP',
  });
});
