import { beforeEach, expect, test } from 'vitest';
import { quarantineRecord } from '../../../../beam/sinks/quarantine.ts';
import { markEntries, readQuarantine } from '../../../../src/lakehouse/quarantine/index.ts';
import type { QuarantineFilter } from '../../../../src/lakehouse/quarantine/index.ts';
import { earthquakes } from '../../../support/contracts.ts';
import { MemoryObjects } from '../../../support/memory-objects.ts';

const contract = earthquakes();
const sha = (digit: string): string => digit.repeat(64);
const objectOf = (hour: string): string => `earthquakes/all_hour/dt=2025-01-01/hr=${hour}/${sha('a')}.geojson`;

let memory: MemoryObjects;
beforeEach(() => {
  memory = new MemoryObjects();
});

/** A record of hour `hour` that a batch refused. */
async function refuse(hour: string, offset: number, reasonCode: 'wrong_type' | 'not_an_object', batch = sha('1')) {
  const record = { reasonCode, detail: 'd', bronzeObject: objectOf(hour), offset, raw: Buffer.from('raw bytes') };
  const of = { batchId: batch, partition: `all_hour/2025-01-01T${hour}` };
  await quarantineRecord(memory.store, 'q', contract, of, record);
  memory.now += 1;
}

const read = (filter?: QuarantineFilter) => readQuarantine(memory.store, 'q', 'earthquakes', filter);

test('a record that several batches refused is one entry with several copies, and its newest reason', async () => {
  await refuse('03', 0, 'not_an_object');
  await refuse('03', 0, 'wrong_type', sha('0'));
  const [entry, ...rest] = await read();
  expect(rest).toEqual([]);
  expect(entry).toMatchObject({
    kind: 'record',
    id: `${objectOf('03')}#0`,
    reasonCode: 'wrong_type',
    partitions: ['all_hour/2025-01-01T03'],
    record: { bronzeObject: objectOf('03'), offset: 0 },
  });
  expect(entry?.copies).toHaveLength(2);
  expect(JSON.stringify(entry)).not.toContain(Buffer.from('raw bytes').toString('base64'));
});

test('a filter takes reasons, hours and feeds; hours are half-open', async () => {
  await refuse('03', 0, 'wrong_type');
  await refuse('04', 1, 'not_an_object');
  await refuse('05', 2, 'wrong_type');
  const hours = async (filter: QuarantineFilter) =>
    (await read(filter)).map(({ partitions }) => partitions[0]?.slice(-2));
  expect(await hours({ reasons: ['wrong_type'] })).toEqual(['03', '05']);
  expect(await hours({ from: '2025-01-01T04:00:00Z', to: '2025-01-01T05:00:00Z' })).toEqual(['04']);
  expect(await hours({ feed: 'all_day' })).toEqual([]);
  expect(await hours({ feed: 'all_hour' })).toEqual(['03', '04', '05']);
});

test('a reason that no catalogue has is refused: it would look like good news', async () => {
  await expect(read({ reasons: ['wrong_typo'] })).rejects.toMatchObject({ code: 'CUP_REQUEST_INVALID' });
  expect(await read({ reasons: ['CUP_OBJECT_CORRUPT'] })).toEqual([]);
});

test('marking leaves everything where it is; what is marked is not found again', async () => {
  await refuse('03', 0, 'wrong_type');
  await refuse('03', 0, 'wrong_type', sha('2'));
  await refuse('04', 1, 'wrong_type');
  const before = memory.uris;
  const [first] = await read();
  const run = { workflowId: 'redrive/earthquakes', runId: 'r', by: 'somebody' };
  for (let time = 0; time < 2; time += 1)
    await markEntries(memory.store, contract, first ? [first] : [], run, new Date(0));
  expect(memory.uris).toEqual(expect.arrayContaining(before));
  expect(memory.uris).toHaveLength(before.length + 2);
  expect((await read()).map(({ id }) => id)).toEqual([`${objectOf('04')}#1`]);
});

test('whole objects, of an archive in both of their hours, and files by the hour of their drop', async () => {
  const archived = 'earthquakes/_sub/dt=2025-01-01/00_10_00Z_x.avro';
  const common = { reasonCode: 'CUP_OBJECT_UNREADABLE', source: 'earthquakes', contract: 'c' };
  const object = { ...common, detail: 'd', bronzeObject: archived, generation: '7' };
  await memory.create(`gs://q/earthquakes/objects/${sha('b')}.json`, JSON.stringify(object));
  const file = { bucket: 'inbox', name: 'earthquakes/drops/a.csv', generation: '9' };
  const kept = { ...common, file, dropped: '2025-01-01T10:59:59.999Z', extension: 'json', first: 'record 3: depth' };
  await memory.create(`gs://q/earthquakes/files/${sha('c')}.file.json`, 'the bytes');
  await memory.create(`gs://q/earthquakes/files/${sha('c')}.json`, JSON.stringify(kept));
  expect(await read()).toMatchObject([
    { kind: 'object', id: `${archived}#7`, partitions: ['_sub/2025-01-01T00', '_sub/2024-12-31T23'] },
    { kind: 'file', id: 'earthquakes/drops/a.csv#9', partitions: ['drops/2025-01-01T10'], detail: 'record 3: depth' },
  ]);
});

test('other sources and what lies elsewhere in the bucket are left out', async () => {
  await memory.create(`gs://q/earthquakes_old/${sha('1')}/${sha('2')}.json`, '{}');
  await memory.create('gs://q/_webhook/msg_1.json', '{}');
  await memory.create('gs://q/earthquakes/notes.json', '{}');
  expect(await read()).toEqual([]);
});
