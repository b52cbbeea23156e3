import { expect, test } from 'vitest';
import { readyOnce } from '../../../src/gcp/ready.ts';

test('what is there is made once, also for calls at the same time; a failure is tried again', async () => {
  let tries = 0;
  const ready = readyOnce(async () => {
    tries += 1;
    await Promise.resolve();
    if (tries === 1) throw new Error('not yet');
    return { tries };
  });
  await expect(Promise.all([ready(), ready()])).rejects.toThrow('not yet');
  const [first, second] = await Promise.all([ready(), ready()]);
  expect(first).toBe(second);
  expect(first).toEqual({ tries: 2 });
});
