import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Queue } from '../../../../local/pubsub/subscription/queue.ts';

test('it is a list whose ends move, however it is used', () => {
  const step = fc.oneof(
    fc.record({ push: fc.integer() }),
    fc.record({ unshift: fc.array(fc.integer(), { maxLength: 3 }) }),
    fc.constant('shift' as const),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = new Queue<number>();
      const list: number[] = [];
      for (const one of steps) {
        if (one === 'shift') expect(queue.shift()).toBe(list.shift());
        else if ('push' in one) {
          queue.push(one.push);
          list.push(one.push);
        } else {
          queue.unshift(one.unshift);
          list.unshift(...one.unshift);
        }
        expect(queue.length).toBe(list.length);
      }
    }),
  );
});

test('order holds over many', () => {
  const queue = new Queue<number>();
  for (let i = 0; i < 5_000; i += 1) queue.push(i);
  for (let i = 0; i < 2_500; i += 1) expect(queue.shift()).toBe(i);
  queue.unshift([2_499]);
  for (let i = 2_499; i < 5_000; i += 1) expect(queue.shift()).toBe(i);
  expect(queue.shift()).toBeUndefined();
});
