import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { keepBlock, openBlock } from '../../../beam/threads/kept-block.ts';
import { MemoryObjects } from '../../support/memory-objects.ts';

const URI = 'gs://ops/stage/b1.block';

test.for([0, 1, 64 << 10])('a block of %d bytes goes through the runner', async (size) => {
  const { objects, store } = new MemoryObjects();
  const block = randomBytes(size);
  const text = await keepBlock(store, URI, block);
  expect(objects.size).toBe(0);
  expect(await openBlock(store, text)).toEqual(block);
});

test('a larger block is staged, and a reference goes through the runner', async () => {
  const { store } = new MemoryObjects();
  const block = randomBytes((64 << 10) + 1);
  const text = await keepBlock(store, URI, block);
  expect(text).toBe(URI);
  expect(await openBlock(store, text)).toEqual(block);
});
