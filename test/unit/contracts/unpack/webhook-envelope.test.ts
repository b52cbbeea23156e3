import { expect, test } from 'vitest';
import { normaliser, rawRecord, unpackObject } from '../../../../src/contracts/index.ts';
import { contractOf } from '../../../support/contracts.ts';

const contract = contractOf('github_events');
const SHA = 'a'.repeat(64);
const OBJECT = `github_events/deliveries/dt=2025-05-04/hr=10/${SHA}.json`;
const BODY = { action: 'opened', repository: { id: 7, full_name: 'a/b' }, sender: { id: 9, login: 'me' } };

const envelope = (changes: object = {}, body = JSON.stringify(BODY)): Buffer =>
  Buffer.from(
    JSON.stringify({
      version: 1,
      delivery_id: 'd-1',
      received_at: '2025-05-04T10:00:00.250Z',
      headers: { 'x-github-event': 'issues' },
      body_base64: Buffer.from(body).toString('base64'),
      ...changes,
    }),
  );

async function resultOf(bytes: Buffer, object = OBJECT) {
  const { carrierOrder, records } = await unpackObject(contract, bytes, object);
  return records.map((record) =>
    normaliser(contract)(record, { carrierOrder, bronzeObject: object, hour: '2025-05-04T10' }),
  );
}

test('a delivery is one record: delivery, headers and body', async () => {
  expect(await resultOf(envelope())).toEqual([
    {
      row: expect.objectContaining({
        delivery_id: 'd-1',
        event_type: 'issues',
        action: 'opened',
        repository: 'a/b',
        sender_id: 9,
        received_at: 1_746_352_800_250_000n,
        _carrier_order: 1_746_352_800_250_000n,
        _hour: 1_746_352_800_000_000n,
        payload: '{"action":"opened","repository":{"full_name":"a/b","id":7},"sender":{"id":9,"login":"me"}}',
      }) as unknown,
    },
  ]);
});

test('its id is the same in whatever hour it landed', async () => {
  const later = OBJECT.replace('hr=10', 'hr=11');
  const ids = await Promise.all([OBJECT, later].map(async (object) => (await resultOf(envelope(), object))[0]));
  const expected = { row: expect.objectContaining({ _record_id: `github_events/deliveries/${SHA}` }) as unknown };
  expect(ids).toEqual([expected, expected]);
});

test('a body that is no JSON is refused as a record, and kept as it was signed', async () => {
  const bytes = envelope({}, 'payload=1');
  expect(await resultOf(bytes)).toEqual([
    { reject: { reasonCode: 'malformed_record', detail: 'body: expected JSON in UTF-8' } },
  ]);
  expect((await rawRecord(contract, bytes, 0)).toString()).toBe('payload=1');
});

test('a delivery without what the contract requires is refused with its reason', async () => {
  expect(await resultOf(envelope({ headers: {} }))).toEqual([
    { reject: { reasonCode: 'missing_required', detail: 'event_type' } },
  ]);
});

test.each([
  ['no JSON', Buffer.from('{'), /expected JSON/],
  ['another version', envelope({ version: 2 }), /expected an envelope of version 1/],
  ['no body', envelope({ body_base64: 5 }), /expected an envelope of version 1/],
  ['no time', envelope({ received_at: 'yesterday' }), /expected received_at/],
])('an object with %s is refused whole', async (_name, bytes, message) => {
  await expect(unpackObject(contract, bytes, OBJECT)).rejects.toThrow(message);
});
