import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { secretsOf, verifySignature } from '../../../../src/ingest/webhook/index.ts';

const BODY = Buffer.from('Hello, World!');
const NOW = 1_746_352_800_000;
const github = { scheme: 'github' } as const;
const standard = { scheme: 'standard-webhooks' } as const;

const unsigned = expect.objectContaining({ code: 'CUP_DELIVERY_UNSIGNED' }) as Error;

// GitHub's own example ("Validating webhook deliveries").
const GITHUB = {
  secret: "It's a Secret to Everybody",
  signature: 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
};

test('GitHub’s published example holds', () => {
  const headers = { 'x-hub-signature-256': GITHUB.signature };
  expect(() => verifySignature(github, [GITHUB.secret], headers, BODY, NOW)).not.toThrow();
});

test('any of several secrets will do, while they are rotated', () => {
  const headers = { 'x-hub-signature-256': GITHUB.signature };
  expect(() => verifySignature(github, ['new', GITHUB.secret, 'old'], headers, BODY, NOW)).not.toThrow();
  expect(() => verifySignature(github, ['new', 'old'], headers, BODY, NOW)).toThrow(unsigned);
});

test.each([
  ['no signature', {}],
  ['another body', { 'x-hub-signature-256': GITHUB.signature.replace('75', '76') }],
  ['a shorter one', { 'x-hub-signature-256': 'sha256=7571' }],
  ['SHA-1', { 'x-hub-signature-256': `sha1=${'0'.repeat(40)}` }],
  ['two signatures', { 'x-hub-signature-256': [GITHUB.signature, GITHUB.signature] }],
])('GitHub: %s is refused', (_name, headers) => {
  expect(() => verifySignature(github, [GITHUB.secret], headers, BODY, NOW)).toThrow(unsigned);
});

const KEY = Buffer.from('a secret of some length');
const SECRET = `whsec_${KEY.toString('base64')}`;

function signed(changes: Record<string, string> = {}, key = KEY): Record<string, string> {
  const timestamp = changes['webhook-timestamp'] ?? String(NOW / 1000);
  const mac = createHmac('sha256', key).update(`msg_1.${timestamp}.${BODY.toString()}`).digest('base64');
  return { 'webhook-id': 'msg_1', 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${mac}`, ...changes };
}

test('Standard Webhooks: any of several signatures and secrets will do', () => {
  expect(() => verifySignature(standard, [SECRET], signed(), BODY, NOW)).not.toThrow();
  const both = { ...signed(), 'webhook-signature': `v1a,x v1,AAAA ${signed()['webhook-signature']}` };
  expect(() => verifySignature(standard, ['whsec_b2xk', SECRET], both, BODY, NOW)).not.toThrow();
});

test.each([
  ['an old time', signed({ 'webhook-timestamp': String(NOW / 1000 - 301) })],
  ['a time in the future', signed({ 'webhook-timestamp': String(NOW / 1000 + 301) })],
  ['a time that was changed', { ...signed(), 'webhook-timestamp': String(NOW / 1000 - 1) }],
  ['another id', { ...signed(), 'webhook-id': 'msg_2' }],
  ['no time', { ...signed(), 'webhook-timestamp': '' }],
  ['another secret', signed({}, Buffer.from('other'))],
  [
    'another version only',
    { ...signed(), 'webhook-signature': signed()['webhook-signature']?.replace('v1', 'v2') ?? '' },
  ],
])('Standard Webhooks: %s is refused', (_name, headers) => {
  expect(() => verifySignature(standard, [SECRET], headers, BODY, NOW)).toThrow(unsigned);
});

test('the tolerance is the contract’s', () => {
  const late = signed({ 'webhook-timestamp': String(NOW / 1000 - 301) });
  expect(() => verifySignature({ ...standard, toleranceSeconds: 400 }, [SECRET], late, BODY, NOW)).not.toThrow();
});

test('secrets stand one a line; none is an error', () => {
  const feed = { ...github, secretsFrom: 'S' };
  expect(secretsOf(feed, { S: 'one\ntwo, with a comma\r\n' })).toEqual(['one', 'two, with a comma']);
  expect(() => secretsOf(feed, {})).toThrow('CUP_ENVIRONMENT_INVALID');
});

test('a secret that would make an empty key is an error: everybody could sign with it', () => {
  const feed = { ...standard, secretsFrom: 'S' };
  expect(secretsOf(feed, { S: SECRET })).toEqual([SECRET]);
  for (const wrong of ['whsec_', `${SECRET}\nwhsec_%%%`])
    expect(() => secretsOf(feed, { S: wrong })).toThrow('CUP_ENVIRONMENT_INVALID');
});
