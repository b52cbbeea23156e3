import { expect, test } from 'vitest';
import { normaliser, rawRecord, unpackObject } from '../../../../src/contracts/index.ts';
import type { CompiledContract } from '../../../../src/contracts/index.ts';
import { archive } from '../../../support/archive.ts';
import { contractOf } from '../../../support/contracts.ts';

const contract = contractOf('felt_reports');
const REPORT = { report_id: 'r', event_id: 'e', felt_at: '2025-05-04T10:59:59.999999+02:00', intensity: 4 };
const PUBLISHED = 1_746_352_800_000_001n;

async function resultsOf(of: CompiledContract, bytes: Buffer) {
  const { carrierOrder, records } = await unpackObject(of, bytes, 'archive');
  return records.map((record) => normaliser(of)(record, { carrierOrder, bronzeObject: 'archive' }));
}

test('each message is a record; its id and order are those that the publisher set', async () => {
  const attributes = { record_id: 'mine', carrier_order: '17' };
  const bytes = archive([{ id: '5', publishTime: PUBLISHED, attributes, data: JSON.stringify(REPORT) }]);
  expect(await resultsOf(contract, bytes)).toEqual([
    {
      row: expect.objectContaining({
        report_id: 'r',
        felt_at: 1_746_349_199_999_999n,
        comment: null,
        _record_id: 'mine',
        _carrier_order: 17n,
        _hour: 1_746_352_800_000_000n,
      }) as unknown,
    },
  ]);
});

test('a message of another publisher has Pub/Sub’s id and, in a log, its time', async () => {
  const bytes = archive([{ id: '5', publishTime: PUBLISHED, data: JSON.stringify(REPORT) }]);
  expect(await resultsOf(contract, bytes)).toEqual([
    { row: expect.objectContaining({ _record_id: '5', _carrier_order: PUBLISHED }) as unknown },
  ]);
});

test('in an upsert table a message without its order is refused: the time of its transport decides nothing', async () => {
  const upsert = contractOf('felt_reports', (yaml) =>
    yaml
      .replace('kind: append-log, format: avro', 'kind: iceberg')
      .replace('report_id, logicalType: string,', 'report_id, logicalType: string, primaryKey: true,')
      .replace(
        '  - property: sink',
        '  - { property: versionField, value: felt_at }\n  - { property: versionTies, value: possible }\n  - { property: absence, value: never }\n  - property: sink',
      ),
  );
  const bytes = archive([{ id: '5', publishTime: PUBLISHED, data: JSON.stringify(REPORT) }]);
  expect(await resultsOf(upsert, bytes)).toEqual([
    {
      reject: {
        reasonCode: 'malformed_record',
        detail: 'attributes.carrier_order: expected microseconds since 1970',
      },
    },
  ]);
});

test('data that is no JSON is refused by itself, and kept as it came', async () => {
  const bytes = archive([
    { id: '1', publishTime: PUBLISHED, data: Buffer.from([0xff, 0x00]) },
    { id: '2', publishTime: PUBLISHED, data: JSON.stringify(REPORT) },
  ]);
  const [first, second] = await resultsOf(contract, bytes);
  expect(first).toEqual({ reject: { reasonCode: 'malformed_record', detail: 'data: expected JSON in UTF-8' } });
  expect(second).toHaveProperty('row');
  expect(await rawRecord(contract, bytes, 0)).toEqual(Buffer.from([0xff, 0x00]));
});

test('a file that is no Avro, that was cut off, or that has no metadata is refused whole', async () => {
  const whole = archive([{ id: '1', publishTime: PUBLISHED, data: '{}' }]);
  await expect(unpackObject(contract, Buffer.from('no'), 'a')).rejects.toThrow('CUP_OBJECT_UNREADABLE');
  await expect(unpackObject(contract, whole.subarray(0, whole.length - 20), 'a')).rejects.toThrow(
    'CUP_OBJECT_UNREADABLE',
  );
  await expect(unpackObject(contract, archive([{ data: '{}' }], false), 'a')).rejects.toThrow('write_metadata');
});
