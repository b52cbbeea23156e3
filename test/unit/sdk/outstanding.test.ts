import { expect, test } from 'vitest';
import { carrierClock } from '../../../src/sdk/carrier-clock.ts';
import { Outstanding } from '../../../src/sdk/outstanding.ts';

/** Notes when each message gets through. */
function entering(outstanding: Outstanding) {
  const through: string[] = [];
  const refused: string[] = [];
  const enter = (name: string, bytes: number, key?: string): void => {
    const waiting = outstanding.enter(bytes, key);
    if (waiting === undefined) through.push(name);
    else
      waiting.then(
        () => through.push(name),
        () => refused.push(name),
      );
  };
  return { through, refused, enter };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('no more messages and bytes go than the limits allow; the others follow in their order', async () => {
  const outstanding = new Outstanding({ maxMessages: 3, maxBytes: 10 });
  const { through, enter } = entering(outstanding);
  enter('a', 4);
  enter('b', 4);
  enter('c', 4);
  enter('d', 1); // would fit, but does not overtake
  await settled();
  expect(through).toEqual(['a', 'b']);
  outstanding.leave(4);
  await settled();
  expect(through).toEqual(['a', 'b', 'c', 'd']);
  enter('e', 1);
  await settled();
  expect(through).toHaveLength(4);
});

test('many that wait all get through, one for each that leaves', async () => {
  const outstanding = new Outstanding({ maxMessages: 2, maxBytes: 100 });
  const { through, enter } = entering(outstanding);
  for (let index = 0; index < 50; index += 1) enter(String(index), 1);
  for (let left = 0; left < 48; left += 1) outstanding.leave(1);
  await settled();
  expect(through).toEqual(Array.from({ length: 50 }, (_, index) => String(index)));
});

test('one larger than the limit goes by itself', async () => {
  const outstanding = new Outstanding({ maxMessages: 3, maxBytes: 10 });
  const { through, enter } = entering(outstanding);
  enter('a', 1);
  enter('large', 50);
  await settled();
  expect(through).toEqual(['a']);
  outstanding.leave(1);
  await settled();
  expect(through).toEqual(['a', 'large']);
});

test('what waits behind a failed message of its key is refused, the others stay in line', async () => {
  const outstanding = new Outstanding({ maxMessages: 1, maxBytes: 10 });
  const { through, refused, enter } = entering(outstanding);
  enter('a1', 1, 'a');
  enter('a2', 1, 'a');
  enter('b1', 1, 'b');
  outstanding.refuseBehind('a', new Error('failed'));
  outstanding.leave(1);
  await settled();
  expect({ through, refused }).toEqual({ through: ['a1', 'b1'], refused: ['a2'] });
});

test('carrier orders grow, also within one tick and when the clock is set back', () => {
  const ticks = [5, 5, 3, 6];
  const next = carrierClock(() => ticks.shift() ?? 0);
  expect([next(), next(), next(), next()]).toEqual([5000n, 5001n, 5002n, 6000n]);
});
