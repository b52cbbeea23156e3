import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { estimateCost, readPrices } from '../../../../src/lakehouse/planning/estimate.ts';
import type { CostEstimate, Prices } from '../../../../src/lakehouse/planning/estimate.ts';
import type { StateTotal } from '../../../../src/lakehouse/planning/plan-store.ts';

const OURS = fileURLToPath(new URL('../../../../prices.yaml', import.meta.url));
const GIB = 2 ** 30;

let directory: string;
let prices: Prices;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'cupel-prices-'));
  prices = await readPrices(OURS);
});
afterAll(() => rm(directory, { recursive: true }));

const toProcess = (of: Partial<StateTotal> = {}): StateTotal => ({ partitions: 1, objects: 0, bytes: 0, ...of });

/** Prices that make every sum easy to check by hand. */
const round: Prices = {
  currency: 'EUR',
  dataflow: { vcpuHour: 1, memoryGbHour: 0.1, diskGbHour: 0.01 },
  job: { vcpus: 2, memoryGb: 10, diskGb: 100, startupSeconds: 360, secondsPerGib: 3_600 },
  storage: { classA: 100, classB: 5 },
};

test('the figures are those of a bill: start-up per job, time per GiB, requests per object and job', () => {
  // 2 jobs of 6 minutes and 3 GiB of an hour: 3.2 h at 2 + 1 + 1 an hour; 20,000 reads at 5; 2 × 60 writes at 100 per 10,000.
  expect(estimateCost(round, { toProcess: toProcess({ objects: 10_000, bytes: 3 * GIB }), chunks: 2 })).toEqual({
    currency: 'EUR',
    jobs: 2,
    workerHours: 3.2,
    dataflow: 12.8,
    storage: 11.2,
    total: 24,
  } satisfies CostEstimate);
});

test('our own prices: three years of hourly polls cost what a person expects of them', () => {
  const plan = { toProcess: toProcess({ objects: 26_280, bytes: 40 * GIB }), chunks: 20 };
  const { currency, jobs, workerHours, total } = estimateCost(prices, plan);
  expect([currency, jobs]).toEqual(['USD', 20]);
  expect(workerHours).toBeCloseTo(20 / 20 + (40 * 240) / 3_600, 3);
  expect(total).toBeGreaterThan(0.3);
  expect(total).toBeLessThan(2);
});

test('nothing to process costs nothing; more never costs less; the parts make the total', () => {
  expect(estimateCost(prices, { toProcess: toProcess(), chunks: 0 })).toMatchObject({ workerHours: 0, total: 0 });
  const size = fc.record({
    objects: fc.integer({ min: 0, max: 1_000_000 }),
    gib: fc.double({ min: 0, max: 10_000, noNaN: true }),
    chunks: fc.integer({ min: 0, max: 10_000 }),
  });
  const cost = ({ objects, gib, chunks }: { objects: number; gib: number; chunks: number }) =>
    estimateCost(prices, { toProcess: toProcess({ objects, bytes: gib * GIB }), chunks });
  fc.assert(
    fc.property(size, size, (a, b) => {
      const both = cost({ objects: a.objects + b.objects, gib: a.gib + b.gib, chunks: a.chunks + b.chunks });
      expect(both.total).toBeGreaterThanOrEqual(cost(a).total);
      expect(Math.abs(both.total - cost(a).total - cost(b).total)).toBeLessThan(0.001);
      expect(Math.abs(both.total - both.dataflow - both.storage)).toBeLessThan(0.001);
    }),
  );
});

async function refusalOf(text: string): Promise<Record<string, unknown> | undefined> {
  const file = path.join(directory, 'prices.yaml');
  await writeFile(file, text);
  const error = (await readPrices(file).catch((thrown: unknown) => thrown)) as { code?: string; details?: object };
  return error.code === 'CUP_PRICES_INVALID' ? { ...error.details } : undefined;
}

const good = JSON.stringify(round);

test('a good file is read as it is', async () => {
  const file = path.join(directory, 'good.yaml');
  await writeFile(file, good);
  expect(await readPrices(file)).toEqual(round);
});

test.each([
  ['dataflow.vcpuHour', '"vcpuHour":1', '"vcpuHour":-1'],
  ['dataflow.memoryGbHour', '"memoryGbHour":0.1', '"memoryGbHour":"0.1"'],
  ['dataflow.diskGbHour', '"diskGbHour":0.01', '"diskGbHour":.nan'],
  ['job.vcpus', '"vcpus":2,', ''],
  ['job.secondsPerGib', '"secondsPerGib":3600', '"secondsPerGib":.inf'],
  ['storage.classA', '"storage":{"classA":100,"classB":5}', '"storage":null'],
  ['storage.classB', '"classB":5', '"classB":[5]'],
  ['currency', '"currency":"EUR",', ''],
  ['currency', '"EUR"', '978'],
])('a bad %s is named', async (entry, from, to) => {
  expect(good).toContain(from);
  expect(await refusalOf(good.replace(from, to))).toMatchObject({ entry });
});

test.each([
  ['empty', ''],
  ['no table', 'free of charge'],
  ['no YAML', 'currency: [USD'],
])('a file that is %s is refused', async (_name, text) => {
  expect(await refusalOf(text)).toBeDefined();
});

test('a file that is not there is refused by its name', async () => {
  const file = path.join(directory, 'nowhere.yaml');
  await expect(readPrices(file)).rejects.toMatchObject({ code: 'CUP_PRICES_INVALID', details: { file } });
});
