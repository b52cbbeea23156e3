import fc from 'fast-check';
import { expect, test } from 'vitest';
import { objectReader } from '../../../../beam/sources/bronze-object.ts';
import { hourOf, listFeed, parseBronzeName, partitionsOf } from '../../../../src/lakehouse/bronze/index.ts';
import { archive } from '../../../support/archive.ts';
import { contractOf } from '../../../support/contracts.ts';
import { MemoryObjects } from '../../../support/memory-objects.ts';

const contract = contractOf('felt_reports');
const START = Date.parse('2025-05-04T00:00:00Z');
const HOUR = 3_600_000;
const REPORT = JSON.stringify({ report_id: 'r', event_id: 'e', felt_at: '2025-05-04T00:00:00Z', intensity: 4 });

const nameAt = (hour: number, id: number): string => {
  const at = new Date(START + hour * HOUR).toISOString();
  return `felt_reports/_sub/dt=${at.slice(0, 10)}/${at.slice(11, 13)}_10_00Z_${id}.avro`;
};

test('names of an archive are read, others are not', () => {
  expect(parseBronzeName(nameAt(5, 1))).toEqual({
    source: 'felt_reports',
    feed: '_sub',
    hour: '2025-05-04T05',
    extension: 'avro',
  });
  expect(parseBronzeName('felt_reports/_sub/2025-05-04T05_x.avro')).toBeUndefined();
});

/** An object of an hour, and how many hours before it each of its messages was published. */
interface ArchivedObject {
  hour: number;
  ages: number[];
}

const objects = fc.array(
  fc.record<ArchivedObject>({
    hour: fc.integer({ min: 3, max: 20 }),
    ages: fc.array(fc.constantFrom(0, 0, 0, 1, 1, 2, 3), { minLength: 1, maxLength: 5 }),
  }),
  { minLength: 1, maxLength: 6 },
);

async function readAll(store: MemoryObjects, ranges: [number, number][]): Promise<string[]> {
  const read = objectReader(contract);
  const ids: string[] = [];
  for (const [from, to] of ranges) {
    const range = { from: new Date(START + from * HOUR), to: new Date(START + to * HOUR) };
    for (const object of await listFeed(store.store, 'bronze', 'felt_reports', '_sub', range)) {
      const bytes = await store.read(`gs://bronze/${object.name}`);
      const refused = (): never => expect.unreachable();
      await read(bytes, object, { row: (row) => ids.push(String(row._record_id)), refused, unknown: () => undefined });
    }
  }
  return ids.sort();
}

test('every message belongs to one partition, however a range is cut and whenever its object was closed', async () => {
  await fc.assert(
    fc.asyncProperty(objects, fc.integer({ min: 1, max: 22 }), async (archived, cut) => {
      const store = new MemoryObjects();
      let id = 0;
      for (const { hour, ages } of archived) {
        const messages = ages.map((age) => ({
          id: String(id++),
          publishTime: BigInt(START + (hour - age) * HOUR + 60_000) * 1000n,
          data: REPORT,
        }));
        await store.create(`gs://bronze/${nameAt(hour, id)}`, archive(messages));
      }
      const all = [...Array(id).keys()].map(String).sort();
      expect(await readAll(store, [[0, 24]])).toEqual(all);
      expect(
        await readAll(store, [
          [0, cut],
          [cut, 24],
        ]),
      ).toEqual(all);
    }),
    { numRuns: 60 },
  );
});

test('two partitions that share one object have fingerprints of their own', async () => {
  const store = new MemoryObjects();
  await store.create(`gs://bronze/${nameAt(5, 1)}`, archive([{ id: '1', publishTime: 0n, data: REPORT }]));
  const range = { from: new Date(START), to: new Date(START + 24 * HOUR) };
  const partitions = partitionsOf(contract, await listFeed(store.store, 'bronze', 'felt_reports', '_sub', range));
  expect(partitions.map(({ partition }) => partition)).toEqual([
    `_sub/${hourOf(new Date(START + 4 * HOUR))}`,
    `_sub/${hourOf(new Date(START + 5 * HOUR))}`,
  ]);
  expect(new Set(partitions.map(({ fingerprint }) => fingerprint)).size).toBe(2);
});
