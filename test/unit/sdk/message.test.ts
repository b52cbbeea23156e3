import fc from 'fast-check';
import { expect, test } from 'vitest';
import { normaliser, unpackObject } from '../../../src/contracts/index.ts';
import type { CompiledContract } from '../../../src/contracts/index.ts';
import type { CupelError } from '../../../src/errors.ts';
import { messageMaker } from '../../../src/sdk/message.ts';
import type { OutgoingMessage } from '../../../src/sdk/message.ts';
import { archive } from '../../support/archive.ts';
import { contractOf } from '../../support/contracts.ts';

const contract = contractOf('felt_reports');
const keyed = contractOf('felt_reports', (yaml) =>
  yaml.replace('topic: felt_reports,', 'topic: felt_reports, orderingKey: event_id,'),
);
const REPORT = { report_id: 'r', event_id: 'e', felt_at: '2025-05-04T10:00:00Z', intensity: 4 };
const IDENTITY = { recordId: 'id', carrierOrder: 17n };
const make = messageMaker(contract);

function refusal(event: unknown, identity = IDENTITY): CupelError | undefined {
  try {
    make(event, identity);
    return undefined;
  } catch (error) {
    return error as CupelError;
  }
}

/** What the pipeline makes of the message, by way of the file that Pub/Sub archives it in. */
async function processed(of: CompiledContract, { data, attributes }: Omit<OutgoingMessage, 'orderingKey'>) {
  const { records } = await unpackObject(of, archive([{ id: '5', publishTime: 1n, attributes, data }]), 'archive');
  return normaliser(of)(records[0]!, { carrierOrder: undefined, bronzeObject: 'archive' });
}

test('a message carries the event as JSON, and as attributes what every copy of it has in common', () => {
  const { data, attributes, orderingKey } = make({ ...REPORT, more: [1] }, IDENTITY);
  expect(JSON.parse(data.toString())).toEqual({ ...REPORT, more: [1] });
  expect(attributes).toEqual({
    source: 'felt_reports',
    contract: contract.hash,
    record_id: 'id',
    carrier_order: '17',
  });
  expect(orderingKey).toBeUndefined();
});

test('a Date is a time', async () => {
  const message = make({ ...REPORT, felt_at: new Date('2025-05-04T10:00:00.5Z') }, IDENTITY);
  expect(await processed(contract, message)).toMatchObject({ row: { felt_at: 1_746_352_800_500_000n } });
});

const member = fc.oneof(
  fc.constantFrom('r', '', '2025-05-04T10:00:00Z', '2025-02-30T10:00:00Z', '2025-05-04T10:00:00.123456+02:00'),
  fc.constantFrom(0, 4, 1.5, -1, 2 ** 53, 2 ** 53 - 1, 1e300, null, undefined, true),
  fc.jsonValue(),
);
const members = ['report_id', 'event_id', 'felt_at', 'intensity', 'longitude', 'latitude', 'comment'] as const;
const changed = fc.dictionary(fc.constantFrom(...members), member, { maxKeys: 3 });
const events = fc.oneof(
  { weight: 9, arbitrary: changed.map((changes) => ({ ...REPORT, ...changes })) },
  { weight: 1, arbitrary: fc.jsonValue() },
);

test('an event is refused exactly when the pipeline would put its message in quarantine, for the same reason', async () => {
  const seen = { accepted: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(events, async (event) => {
      const { source, carrierOrder } = contract;
      const attributes = { source, record_id: 'id', [carrierOrder]: '17' };
      const result = await processed(contract, { data: Buffer.from(JSON.stringify(event)), attributes });
      const error = refusal(event);
      seen[error ? 'refused' : 'accepted'] += 1;
      const told = error && { code: error.code, reason: error.details.reason, detail: error.details.expected };
      if ('row' in result) expect(told).toBeUndefined();
      else {
        const { reasonCode: reason, detail } = result.reject;
        expect(told).toEqual({ code: 'CUP_EVENT_REFUSED', reason, detail });
      }
    }),
    { numRuns: 1_000 },
  );
  expect(Math.min(seen.accepted, seen.refused)).toBeGreaterThan(50);
});

const circle: Record<string, unknown> = {};
circle.itself = circle;

test.each<[string, unknown]>([
  ['nothing', undefined],
  ['a function', () => 1],
  ['a bigint', { ...REPORT, intensity: 4n }],
  ['a circle', circle],
  // JSON.stringify makes null of it, and a null longitude would be accepted.
  ['a number that is none', { ...REPORT, longitude: Number.NaN }],
  ['infinity', { ...REPORT, latitude: -Infinity }],
])('%s is no event', (_, event) => {
  expect(refusal(event)).toMatchObject({ code: 'CUP_EVENT_REFUSED', details: { reason: 'malformed_record' } });
});

test.each([
  ['an empty record id', { ...IDENTITY, recordId: '' }, 'a record id of 1 to 1024 bytes'],
  ['a record id too long for an attribute', { ...IDENTITY, recordId: 'é'.repeat(513) }, 'a record id'],
  ['a negative order', { ...IDENTITY, carrierOrder: -1n }, 'microseconds since 1970'],
  ['an order in nanoseconds', { ...IDENTITY, carrierOrder: 10n ** 18n }, 'microseconds since 1970'],
  ['an empty ordering key', { ...IDENTITY, orderingKey: '' }, 'an ordering key of 1 to 1024 bytes'],
])('%s is refused', (_, identity, expected) => {
  expect(refusal(REPORT, identity)?.message).toContain(expected);
});

test('a message that no request can hold is refused before it spoils those of its batch', () => {
  expect(refusal({ ...REPORT, comment: 'x'.repeat(9 << 20) })?.message).toContain('a message of at most');
  expect(refusal({ ...REPORT, comment: 'x'.repeat(8 << 20) })).toBeUndefined();
});

test('a refusal names no value of the event', () => {
  const error = refusal({ ...REPORT, report_id: 4711, comment: 'secret' });
  expect(`${error?.message} ${JSON.stringify(error?.details)}`).not.toMatch(/4711|secret/);
  expect(error?.message).toContain('report_id: expected a string');
});

test('the ordering key is the member that the contract names, or the one given', () => {
  expect(messageMaker(keyed)(REPORT, IDENTITY).orderingKey).toBe('e');
  expect(messageMaker(keyed)(REPORT, { ...IDENTITY, orderingKey: 'mine' }).orderingKey).toBe('mine');
});

test.each([
  ['comment', /a member that a required column of text reads from data\.comment/],
  ['intensity', /a member that a required column of text/],
  ['nothing', /a member that a required column of text/],
])('%s cannot be the ordering key: not every accepted message has it as a text', (name, message) => {
  const edit = (yaml: string) => yaml.replace('topic: felt_reports,', `topic: felt_reports, orderingKey: ${name},`);
  expect(() => contractOf('felt_reports', edit)).toThrow(message);
});

test.each(['earthquakes', 'github_events', 'networks'])('%s has no topic that apps publish to', (source) => {
  expect(() => messageMaker(contractOf(source))).toThrow('CUP_SOURCE_UNPUBLISHABLE');
});
