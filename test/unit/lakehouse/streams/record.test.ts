import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { normaliser, unpackObject } from '../../../../src/contracts/index.ts';
import type { CompiledContract, Row } from '../../../../src/contracts/index.ts';
import { bronzeName, parseBronzeName } from '../../../../src/lakehouse/bronze/index.ts';
import { streamedRecord, toStreamChunk } from '../../../../src/lakehouse/streams/index.ts';
import type { StreamedMessage } from '../../../../src/lakehouse/streams/index.ts';
import { recordPublisher } from '../../../../src/ingest/record-publisher.ts';
import { contractOf, earthquakes } from '../../../support/contracts.ts';

const PUBLISHED = '1700000123456789';

/** The messages that landing an object publishes. */
async function published(contract: CompiledContract, object: string, bytes: Buffer): Promise<StreamedMessage[]> {
  const messages: StreamedMessage[] = [];
  const publishMessage = ({ data, attributes }: { data: Buffer; attributes: Record<string, string> }) => {
    messages.push({
      id: String(messages.length),
      publishTime: PUBLISHED,
      attributes,
      data: data.toString('base64'),
    });
    return Promise.resolve('');
  };
  const pubsub = { topic: () => ({ publishMessage }) } as unknown as Parameters<typeof recordPublisher>[0];
  await recordPublisher(pubsub, 'records').publish(contract, object, await unpackObject(contract, bytes, object));
  return messages;
}

const withoutHash = (result: object): object => ('row' in result ? { ...(result.row as Row) } : result);

/** What a batch makes of an object, and what a stream makes of its messages. */
async function bothWays(contract: CompiledContract, feed: string, extension: string, bytes: Buffer) {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const object = bronzeName({ source: contract.source, feed, hour: '2025-03-09T13', sha256, extension });
  const normalise = normaliser(contract);
  const { carrierOrder, records } = await unpackObject(contract, bytes, object);
  const hour = parseBronzeName(object)?.hour ?? '';
  const batch = records.map((record) => normalise(record, { carrierOrder, bronzeObject: object, hour }));
  const stream = (await published(contract, object, bytes)).map((message) => {
    const { record, context, bronzeObject, partition } = streamedRecord(contract, message);
    expect({ bronzeObject, partition }).toEqual({ bronzeObject: object, partition: `${feed}/2025-03-09T13` });
    return { offset: record.offset, result: normalise(record, context) };
  });
  expect(stream.map(({ offset }) => offset)).toEqual(records.map(({ offset }) => offset));
  return { batch: batch.map(withoutHash), stream: stream.map(({ result }) => withoutHash(result)) };
}

describe('a message of a stream makes the very row, or the very refusal, that a batch reads from Bronze', () => {
  test('features of a poll', async () => {
    const feature = fc.record({
      type: fc.constant('Feature'),
      id: fc.string({ minLength: 1 }),
      properties: fc.record({
        time: fc.integer({ min: 0, max: 2e12 }),
        updated: fc.oneof(fc.integer({ min: 0, max: 2e12 }), fc.constant('soon')),
        place: fc.option(fc.string({ unit: 'grapheme' })),
        mag: fc.oneof(
          fc.double({ noNaN: true, noDefaultInfinity: true }),
          fc.constantFrom(null, '@-0', '@1e400', '@-1e400'),
        ),
      }),
      geometry: fc.constant(null),
    });
    const features = fc.array(fc.oneof(feature, fc.jsonValue()), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(features, async (all) => {
        const poll = { type: 'FeatureCollection', metadata: { generated: 1_741_500_000_000 }, features: all };
        const { batch, stream } = await bothWays(
          earthquakes(),
          'all_hour',
          'geojson',
          // What no value of JavaScript is written as, but an origin may write.
          Buffer.from(JSON.stringify(poll).replaceAll(/"@(-0|-?1e400)"/g, '$1')),
        );
        expect(stream).toEqual(batch);
      }),
    );
  });

  test('lines of a file, one of them with a field too many', async () => {
    const text = 'code,updated,name,operator,region,stations\nak,2025-01-01T00:00:00Z,Alaska,,,7\nxx,1,2,3,4,5,6\n';
    const { batch, stream } = await bothWays(contractOf('networks'), 'files', 'csv', Buffer.from(text));
    expect(stream).toEqual(batch);
    expect(batch[1]).toMatchObject({ reject: { reasonCode: 'malformed_record' } });
  });

  test.each([Buffer.from('{"action":"opened"}'), Buffer.from('no JSON')])('a delivery', async (body) => {
    const envelope = {
      version: 1,
      delivery_id: 'd',
      received_at: '2025-03-09T13:00:01Z',
      headers: { 'x-github-event': 'push' },
      body_base64: body.toString('base64'),
    };
    const bytes = Buffer.from(JSON.stringify(envelope));
    const { batch, stream } = await bothWays(contractOf('github_events'), 'deliveries', 'json', bytes);
    expect(stream).toEqual(batch);
  });
});

const message = (changes: Partial<StreamedMessage> = {}): StreamedMessage => ({
  id: '17',
  publishTime: PUBLISHED,
  attributes: {},
  data: Buffer.from('{}').toString('base64'),
  ...changes,
});

describe('a message that none of our functions has published is malformed, and lies nowhere in Bronze', () => {
  const object = 'earthquakes/all_hour/dt=2025-03-09/hr=13/' + '0'.repeat(64) + '.geojson';
  test.each([
    [{}, 'attributes.source'],
    [{ source: 'earthquakes' }, 'attributes.record_id'],
    [{ source: 'earthquakes', record_id: 'x#0', bronze_object: '../x' }, 'attributes.bronze_object'],
    [
      { source: 'earthquakes', record_id: 'x#0', bronze_object: object, malformed: 'line: expected 3' },
      'line: expected 3',
    ],
  ])('%j', (attributes, detail) => {
    const { record, bronzeObject } = streamedRecord(earthquakes(), message({ attributes }));
    expect(record.malformed).toContain(detail);
    expect(bronzeObject).toBe('malformed' in attributes ? object : '_messages/17');
  });
});

test("an app's message belongs to the hour of its publishing, and its archive is yet to come", () => {
  const { record, context, bronzeObject, partition } = streamedRecord(contractOf('felt_reports'), message());
  expect(record).toMatchObject({ recordId: '17', hour: '2023-11-14T22', carrierOrder: 1_700_000_123_456_789n });
  expect(context.bronzeObject).toBe('');
  expect({ bronzeObject, partition }).toEqual({ bronzeObject: '_messages/17', partition: '_sub/2023-11-14T22' });
});

test('a batch is named by its messages, in whatever order and however often they came, and by its contract', () => {
  const [a, b] = [message({ id: 'a' }), message({ id: 'b', publishTime: '1700000000000000' })];
  const of = (messages: StreamedMessage[], contract = earthquakes()) => toStreamChunk(contract, messages, 'stream');
  expect(of([b, a, b]).batchId).toBe(of([a, b]).batchId);
  expect(of([a]).batchId).not.toBe(of([a, b]).batchId);
  expect(
    of(
      [a],
      earthquakes((yaml) => yaml.replace('48', '49')),
    ).batchId,
  ).not.toBe(of([a]).batchId);
  expect(of([a, b]).stream).toEqual({
    messages: 2,
    oldest: '2023-11-14T22:13:20.000Z',
    newest: '2023-11-14T22:15:23.456Z',
    fromHour: '2023-11-14T22',
  });
});

test('a batch tells the least hour of Bronze that holds any of its messages, long as its publishing may come after that', () => {
  const at = (dt: string) =>
    message({ attributes: { bronze_object: `earthquakes/all_hour/${dt}/${'0'.repeat(64)}.geojson` } });
  const chunk = toStreamChunk(earthquakes(), [at('dt=2025-03-09/hr=13'), at('dt=2020-01-02/hr=03')], 'stream');
  expect(chunk.stream?.fromHour).toBe('2020-01-02T03');
});
