import { expect, test } from 'vitest';
import { bucketOf, hourOfMicros, normaliser, Reducer } from '../../../../src/contracts/index.ts';
import type { Row } from '../../../../src/contracts/index.ts';
import { mergeObject } from '../../../../src/lakehouse/append-log/index.ts';
import type { CommitterResources } from '../../../../src/lakehouse/committer/index.ts';
import { openObject } from '../../../../src/lakehouse/bronze/index.ts';
import { DeltaStore } from '../../../../src/lakehouse/deltas/index.ts';
import { explain, readKey } from '../../../../src/lakehouse/explain/index.ts';
import { archive } from '../../../support/archive.ts';
import { contractOf } from '../../../support/contracts.ts';
import { memoryLedger } from '../../../support/memory-ledger.ts';
import { MemoryObjects } from '../../../support/memory-objects.ts';

const contract = contractOf('felt_reports');
const NOON = Date.parse('2025-05-04T12:00:00Z');

const message = (id: string, minute: number, report: object) => ({
  id,
  publishTime: BigInt(NOON + minute * 60_000) * 1000n,
  attributes: { carrier_order: String(BigInt(NOON + minute * 60_000) * 1000n) },
  data: JSON.stringify({ report_id: id, event_id: 'q', felt_at: '2025-05-04T11:00:00Z', intensity: 3, ...report }),
});

/** An archive of noon that holds a message of the hour before, one of its own, and one that the contract refuses. */
const MESSAGES = [message('m1', -5, {}), message('m2', 5, { comment: 'strong' }), message('m3', 6, { intensity: 'x' })];
const NAME = 'felt_reports/_sub/dt=2025-05-04/12_10_00Z_abc.avro';

/** The sealed rows of an archive. */
async function rowsOf(bytes: Buffer): Promise<Row[]> {
  const { records, context } = await openObject(contract, bytes, NAME);
  const reducer = new Reducer(contract);
  for (const record of records) {
    const result = normaliser(contract)(record, context);
    if ('row' in result) reducer.add(result.row, record.value);
  }
  return reducer.drain();
}

async function lakeOf(inLog: (row: Row) => boolean, archived = true) {
  const objects = new MemoryObjects();
  const bytes = archive(MESSAGES);
  if (archived) await objects.create(`gs://bronze/${NAME}`, bytes);
  const { store } = objects;
  for (const row of (await rowsOf(bytes)).filter(inLog)) {
    const bucket = bucketOf(String(row._record_id), contract.sink.bucketCount);
    const place = { hour: hourOfMicros(row._hour as bigint), bucket };
    await mergeObject({ store, silverBucket: 'silver' }, contract, place, [row]);
  }
  const ops = { deltas: new DeltaStore(store, 'ops'), opsBucket: 'ops', ledger: memoryLedger() };
  const buckets = { bronzeBucket: 'bronze', quarantineBucket: 'quarantine', silverBucket: 'silver' };
  const resources = { store, ...ops, ...buckets, catalog: {} as CommitterResources['catalog'] };
  return (key: string) => explain({ ...resources, progress: () => undefined }, contract, readKey(contract, key));
}

test('each record of a log is a row, told with its hour, its message and the object of the log that holds it', async () => {
  const ask = await lakeOf(() => true);
  const { rows } = await ask('event_id=q');
  expect(rows.map(({ key, hour, records, silver }) => [key, hour, records[0]?.messageId, silver?.logObject])).toEqual([
    ['m1', '2025-05-04T11', 'm1', expect.stringMatching(/^gs:\/\/silver\/logs\/.*\/dt=2025-05-04\/hr=11\/bucket-/)],
    ['m2', '2025-05-04T12', 'm2', expect.stringMatching(/\/hr=12\/bucket-/)],
    ['m3', '2025-05-04T12', 'm3', undefined],
  ]);
  expect(rows.map(({ verdict }) => verdict.state)).toEqual(['agrees', 'agrees', 'agrees']);
  expect(rows[0]?.records[0]).toMatchObject({ partition: '_sub/2025-05-04T11', outcome: 'winner' });
  expect(rows[2]).toMatchObject({
    verdict: { state: 'agrees' },
    silver: null,
    records: [{ outcome: 'refused', refused: { code: 'wrong_type', detail: 'intensity: expected an integer' } }],
  });
});

test('a message that the log does not hold yet is pending; one whose archive is not there yet is no fault', async () => {
  const ask = await lakeOf((row) => row._record_id !== 'm2');
  expect((await ask('m2')).rows[0]?.verdict).toMatchObject({ state: 'pending' });
  expect((await ask('report_id=m2')).rows).toHaveLength(1);
  expect((await ask('nobody')).rows).toEqual([]);

  const streamed = await lakeOf(() => true, false);
  const [row] = (await streamed('m1')).rows;
  expect(row).toMatchObject({ records: [], verdict: { state: 'unproven' }, silver: { recordId: 'm1' } });
});
