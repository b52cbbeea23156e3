import { expect, test } from 'vitest';
import { checkConcurrency, defaultsOf, MAX_CONCURRENCY } from '../../../src/workflows/backfill/input.ts';
import type { BackfillInput } from '../../../src/workflows/backfill/messages.ts';

const given = { source: 'earthquakes', from: '2025-05-04', to: '2025-05-15' };

/** What a person typed, as Temporal hands it on: nobody has looked at it. */
const read = (input: unknown) => defaultsOf(input as BackfillInput);

test('only source, from and to must be given; the rest is as documented', () => {
  expect(read(given)).toEqual({
    ...given,
    mode: 'replay',
    reprocess: 'stale',
    order: 'oldest',
    maxConcurrency: 4,
    chunkBytes: 2 * 2 ** 30,
    publish: 'direct',
    approval: 'person',
  });
});

test('what was given is kept, also no', () => {
  const all = {
    ...given,
    mode: 'replay',
    reprocess: 'missing',
    order: 'newest',
    dependsOnPast: false,
    maxConcurrency: MAX_CONCURRENCY,
    chunkBytes: 16 * 2 ** 30,
    publish: 'audited',
    approval: 'checks',
  };
  expect(read(all)).toEqual(all);
});

test.each([
  ['nothing', undefined, /an object.*source/],
  ['null', null, /an object.*source/],
  ['a text', 'earthquakes', /an object.*source/],
  ['no source', { ...given, source: undefined }, /source, a text/],
  ['an empty from', { ...given, from: '' }, /from, a text/],
  ['a to that is a number', { ...given, to: 20250515 }, /to, a text/],
  ['a word misspelt', { ...given, reproccess: 'all' }, /reprocess.*found reproccess/],
  ['another mode', { ...given, mode: 'push' }, /mode to be one of replay, pull, found push/],
  ['another reprocess', { ...given, reprocess: 'everything' }, /missing, failed, stale, all, found everything/],
  ['a reprocess of null', { ...given, reprocess: null }, /missing, failed, stale, all, found null/],
  ['another order', { ...given, order: 'random' }, /oldest, newest, found random/],
  ['another publish', { ...given, publish: 'yes' }, /direct, audited, found yes/],
  ['another approval', { ...given, approval: 'robot' }, /person, checks, found robot/],
  ['no chunks at once', { ...given, maxConcurrency: 0 }, /maxConcurrency from 1 to 100, found 0/],
  ['too many chunks at once', { ...given, maxConcurrency: 101 }, /from 1 to 100, found 101/],
  ['half a chunk', { ...given, maxConcurrency: 1.5 }, /from 1 to 100, found 1.5/],
  ['chunks as a text', { ...given, maxConcurrency: '4' }, /from 1 to 100, found 4/],
  ['no bytes', { ...given, chunkBytes: 0 }, /chunkBytes from 1 to 17179869184, found 0/],
  ['too many bytes', { ...given, chunkBytes: 16 * 2 ** 30 + 1 }, /chunkBytes from 1 to/],
  ['bytes as a text', { ...given, chunkBytes: '2147483648' }, /chunkBytes from 1 to.*found 2147483648/],
  ['half a byte', { ...given, chunkBytes: 1.5 }, /chunkBytes from 1 to.*found 1.5/],
  ['a no as a text, which would count as yes', { ...given, dependsOnPast: 'false' }, /dependsOnPast, true or false/],
])('%s is refused, saying what was expected', (_name, input, expected) => {
  let thrown: unknown;
  try {
    read(input);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({
    type: 'CUP_BACKFILL_INPUT',
    nonRetryable: true,
    message: expect.stringMatching(expected) as string,
  });
});

test('a number of chunks at once is whole and within the limit', () => {
  for (const value of [1, 4, MAX_CONCURRENCY]) expect(() => checkConcurrency(value)).not.toThrow();
  for (const value of [0, -1, MAX_CONCURRENCY + 1, 2.5, NaN, Infinity, '4' as unknown as number])
    expect(() => checkConcurrency(value)).toThrow(/CUP_BACKFILL_INPUT: expected maxConcurrency from 1 to 100/);
});
