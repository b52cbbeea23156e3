import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { webhookHeaders } from '../../../src/notifications/index.ts';

test('the signature is that of the test vector of Standard Webhooks', () => {
  const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: 1614265330, body: '{"test": 2432232314}' };
  expect(webhookHeaders('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', message)).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('a secret without the prefix is taken as it is', () => {
  const expected = createHmac('sha256', 'a plain secret').update('msg_1.10.{}').digest('base64');
  expect(webhookHeaders('a plain secret', { id: 'msg_1', timestamp: 10, body: '{}' })['webhook-signature']).toBe(
    `v1,${expected}`,
  );
});
