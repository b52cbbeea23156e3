import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CompiledContract, Row } from '../../../src/contracts/index.ts';
import { mergeObject, readLog } from '../../../src/lakehouse/append-log/index.ts';
import type { LogResources } from '../../../src/lakehouse/append-log/index.ts';
import { contractOf } from '../../support/contracts.ts';
import { MemoryObjects } from '../../support/memory-objects.ts';

const avro = contractOf('felt_reports');
const parquet = contractOf('felt_reports', (yaml) => yaml.replace('format: avro', 'format: parquet'));
const PLACE = { hour: '2025-05-04T10', bucket: 1 };
const HOUR = BigInt(Date.parse('2025-05-04T10:00:00Z')) * 1000n;

/** A record of a log in one of its forms. */
interface Form {
  id: number;
  order: number;
  rules: number;
}

const form = fc.record<Form>({
  id: fc.integer({ min: 0, max: 4 }),
  order: fc.integer({ min: 0, max: 2 }),
  rules: fc.integer({ min: 1, max: 2 }),
});

function rowOf({ id, order, rules }: Form, changes: Partial<Row> = {}): Row {
  return {
    report_id: `r${id}`,
    event_id: 'e',
    felt_at: HOUR,
    intensity: 1 + order,
    longitude: null,
    latitude: -0.5,
    comment: rules === 2 ? 'ü' : null,
    _first_version: BigInt(order),
    _tombstone: false,
    _carrier_order: BigInt(order),
    _rules_version: rules,
    _record_hash: `${id}${order}${rules}`.padStart(64, 'f9'),
    _record_id: `r${id}`,
    _bronze_object: 'o',
    _contract: 'c',
    _hour: HOUR,
    ...(changes as Row),
  };
}

const resourcesOf = (objects: MemoryObjects): LogResources => ({ store: objects.store, silverBucket: 'silver' });

async function contentOf(objects: MemoryObjects, contract: CompiledContract): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const hour of readLog(resourcesOf(objects), contract)) rows.push(...hour);
  return rows;
}

async function logOf(contract: CompiledContract, batches: Form[][]): Promise<Row[]> {
  const objects = new MemoryObjects();
  for (const batch of batches)
    await mergeObject(
      resourcesOf(objects),
      contract,
      PLACE,
      batch.map((of) => rowOf(of)),
    );
  return contentOf(objects, contract);
}

/** The greatest form of each record, and the least order that it ever had. */
function expectedOf(forms: Form[]): Row[] {
  const winners = [...Map.groupBy(forms, ({ id }) => id).values()].map((of) => {
    const greatest = of.reduce((a, b) => ((b.order - a.order || b.rules - a.rules) > 0 ? b : a));
    return rowOf(greatest, { _first_version: BigInt(Math.min(...of.map(({ order }) => order))) });
  });
  return winners.sort((a, b) => (String(a._record_id) < String(b._record_id) ? -1 : 1));
}

test.each([
  ['Avro', avro],
  ['Parquet', parquet],
])('%s: any split into batches, any order, any repetition end in the same rows', async (_name, contract) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(form, { minLength: 1, maxLength: 4 }), { maxLength: 4 }), async (batches) => {
      const all = batches.flat();
      const expected = expectedOf(all);
      expect(await logOf(contract, batches)).toEqual(expected);
      expect(await logOf(contract, [...batches, ...batches].reverse())).toEqual(expected);
      if (all.length) expect(await logOf(contract, [all])).toEqual(expected);
    }),
    { numRuns: 40 },
  );
});

test('what is there already is not written again', async () => {
  const objects = new MemoryObjects();
  const rows = [rowOf({ id: 1, order: 1, rules: 1 })];
  expect(await mergeObject(resourcesOf(objects), avro, PLACE, rows)).toMatchObject({ inserted: 1, updated: 0 });
  const written = objects.objects.get(objects.uris[0] ?? '');
  expect(await mergeObject(resourcesOf(objects), avro, PLACE, rows)).toEqual({
    inserted: 0,
    updated: 0,
    bytesWritten: 0,
  });
  expect(objects.objects.get(objects.uris[0] ?? '')).toBe(written);
  expect(objects.uris).toEqual(['gs://silver/logs/silver/felt_reports/dt=2025-05-04/hr=10/bucket-0001.avro']);
});

test('two writers at once lose nothing', async () => {
  const objects = new MemoryObjects();
  const ids = [...Array(10).keys()];
  await Promise.all(
    [0, 5].map((first) =>
      mergeObject(
        resourcesOf(objects),
        avro,
        PLACE,
        ids.slice(first, first + 5).map((id) => rowOf({ id, order: 0, rules: 1 })),
      ),
    ),
  );
  expect((await contentOf(objects, avro)).map((row) => row._record_id)).toEqual(ids.map((id) => `r${id}`));
});

test('a write whose answer was lost counts once', async () => {
  const objects = new MemoryObjects();
  const replace = objects.replace.bind(objects);
  let lost = 0;
  objects.replace = async (uri, bytes, generation) => {
    await replace(uri, bytes, generation);
    lost += 1;
    return { outcome: 'conflict' }; // what the client sees when it sends the same write again
  };
  await mergeObject(resourcesOf(objects), avro, PLACE, [rowOf({ id: 1, order: 0, rules: 1 })]);
  expect(lost).toBe(1);
  expect(await contentOf(objects, avro)).toHaveLength(1);
});

test('others that are always first are an error that may pass', async () => {
  const objects = new MemoryObjects();
  objects.replace = () => Promise.resolve({ outcome: 'conflict' });
  await expect(
    mergeObject(resourcesOf(objects), avro, PLACE, [rowOf({ id: 1, order: 0, rules: 1 })]),
  ).rejects.toMatchObject({
    code: 'CUP_COMMIT_CONFLICT',
    retryable: true,
  });
});

test.each([
  ['Avro', avro],
  ['Parquet', parquet],
])('%s keeps every value as it is', async (_name, contract) => {
  const objects = new MemoryObjects();
  const row = rowOf(
    { id: 1, order: 0, rules: 1 },
    { felt_at: -62_135_596_800_000_001n, intensity: 2 ** 53 - 1, longitude: 1e-300, comment: '\u0000𝄞' },
  );
  await mergeObject(resourcesOf(objects), contract, PLACE, [row]);
  expect(await contentOf(objects, contract)).toEqual([row]);
});
