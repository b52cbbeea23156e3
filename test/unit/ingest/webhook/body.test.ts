import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { checkBody, checkSize, decompress } from '../../../../src/ingest/webhook/body.ts';
import { contractOf } from '../../../support/contracts.ts';

const FEED = { maxBytes: 1_000, maxDepth: 4, maxKeys: 5 };
const failing = (code: string): Error => expect.objectContaining({ code }) as Error;

const deep = (levels: number): string => '['.repeat(levels - 1) + '1' + ']'.repeat(levels - 1);

test('sizes up to the limit pass', () => {
  expect(() => checkSize(FEED, 1_000)).not.toThrow();
  expect(() => checkSize(FEED, 1_001)).toThrow(failing('CUP_DELIVERY_TOO_LARGE'));
});

test('known encodings come off, within the same limit', () => {
  const body = Buffer.from('{"a":1}');
  expect(decompress(FEED, body, undefined)).toBe(body);
  expect(decompress(FEED, gzipSync(body), 'gzip')).toEqual(body);
  expect(decompress(FEED, deflateSync(body), 'deflate')).toEqual(body);
  expect(decompress(FEED, brotliCompressSync(body), 'br')).toEqual(body);
  const bomb = gzipSync(Buffer.alloc(50_000_000));
  expect(() => decompress({ maxBytes: 100_000 }, bomb, 'gzip')).toThrow(failing('CUP_DELIVERY_TOO_LARGE'));
  expect(() => decompress(FEED, body, 'gzip')).toThrow(failing('CUP_DELIVERY_INVALID'));
  expect(() => decompress(FEED, body, 'compress')).toThrow(failing('CUP_DELIVERY_MEDIA_TYPE'));
});

test.each([
  ['an object', '{"a":{"b":[{"c":1}]}}'.replace('{"c":1}', '1')],
  ['keys of names that only look dangerous', '{"constructor":{"name":"x"},"prototype":1}'],
  ['an empty one', '{}'],
])('%s passes', (_name, body) => {
  expect(() => checkBody(FEED, Buffer.from(body))).not.toThrow();
});

test.each([
  ['no JSON', '{', /JSON in UTF-8/],
  ['text of another encoding', Buffer.from([0x7b, 0xff]), /JSON in UTF-8/],
  ['a list', '[]', /a JSON object/],
  ['null', 'null', /a JSON object/],
  ['too many levels', `{"a":${deep(5)}}`, /at most 4 levels/],
  ['very many levels', `{"a":${deep(5_000)}}`, /at most 4 levels/],
  ['too many keys', '{"a":1,"b":[{"c":1},{"d":1},{"e":1},{"f":1}]}', /at most 5 keys/],
  ['__proto__', '{"a":{"__proto__":{"admin":true}}}', /changes prototypes/],
  ['constructor.prototype', '{"constructor":{"prototype":{"admin":true}}}', /changes prototypes/],
])('%s is refused, and nothing of it is told', (_name, body, message) => {
  expect(() => checkBody(FEED, Buffer.from(body as string))).toThrow(message);
  expect(() => checkBody(FEED, Buffer.from(body as string))).toThrow(failing('CUP_DELIVERY_INVALID'));
  expect(({} as Record<string, unknown>).admin).toBeUndefined();
});

test("GitHub's largest push passes: 2,048 commits", () => {
  const person = { name: 'Ada', email: 'ada@example.org', username: 'ada', date: '2025-05-04T00:00:00Z' };
  const id = 'a'.repeat(40);
  const files = { added: ['a'], removed: [], modified: ['b'] };
  const about = { distinct: true, message: 'Mends it', timestamp: person.date, url: `https://example.org/${id}` };
  const commit = { id, tree_id: id, ...about, author: person, committer: person, ...files };
  const push = { ref: 'refs/heads/main', commits: Array.from({ length: 2_048 }, () => commit), head_commit: commit };
  const [feed] = contractOf('github_events').feeds;
  if (feed?.kind !== 'webhook') throw new Error('expected a webhook');
  expect(() => checkBody(feed, Buffer.from(JSON.stringify(push)))).not.toThrow();
});
