import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { keepBlock, openBlock } from '../../../beam/threads/kept-block.ts';
import type { ObjectStore } from '../../../src/lakehouse/object-store.ts';

const URI = 'gs://ops/stage/b1.block';

function memoryStore() {
  const objects = new Map<string, Uint8Array>();
  const create = async (uri: string, bytes: Uint8Array) => void objects.set(uri, bytes);
  const read = async (uri: string) => objects.get(uri);
  return { objects, store: { create, read } as unknown as ObjectStore };
}

test.for([0, 1, 64 << 10])('a block of %d bytes goes through the runner', async (size) => {
  const { objects, store } = memoryStore();
  const block = randomBytes(size);
  const text = await keepBlock(store, URI, block);
  expect(objects.size).toBe(0);
  expect(await openBlock(store, text)).toEqual(block);
});

test('a larger block is staged, and a reference goes through the runner', async () => {
  const { store } = memoryStore();
  const block = randomBytes((64 << 10) + 1);
  const text = await keepBlock(store, URI, block);
  expect(text).toBe(URI);
  expect(await openBlock(store, text)).toEqual(block);
});
