import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { cupelError } from '../../errors.ts';
import type { PlanTotals } from './plan-store.ts';

/** Prices and measured sizes of a job, from `prices.yaml`: a site sets its own. */
export interface Prices {
  /** ISO 4217, such as USD. */
  currency: string;
  dataflow: { vcpuHour: number; memoryGbHour: number; diskGbHour: number };
  /** The worker of one job. `startupSeconds`: until it works; `secondsPerGib`: of Bronze, compressed. */
  job: { vcpus: number; memoryGb: number; diskGb: number; startupSeconds: number; secondsPerGib: number };
  /** Per 10,000 operations. */
  storage: { classA: number; classB: number };
}

/** What a plan would cost, as an estimate. */
export interface CostEstimate {
  currency: string;
  /** Jobs that it would launch. */
  jobs: number;
  /** Worker hours of all jobs together. */
  workerHours: number;
  dataflow: number;
  storage: number;
  total: number;
}

/** Operations of class A per job: chunk, manifest, outcome, delta files of 16 buckets, blocks. */
const WRITES_PER_JOB = 60;

const NUMBERS = [
  'dataflow.vcpuHour',
  'dataflow.memoryGbHour',
  'dataflow.diskGbHour',
  'job.vcpus',
  'job.memoryGb',
  'job.diskGb',
  'job.startupSeconds',
  'job.secondsPerGib',
  'storage.classA',
  'storage.classB',
];

function readYaml(file: string, text: string): Prices | null {
  try {
    return parse(text) as Prices | null;
  } catch (error) {
    throw cupelError('CUP_PRICES_INVALID', { file, expected: 'YAML' }, error);
  }
}

/** @throws CupelError CUP_PRICES_INVALID naming the entry */
export async function readPrices(file: string): Promise<Prices> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw cupelError('CUP_PRICES_INVALID', { file, expected: 'a readable file' }, error);
  });
  const prices = readYaml(file, text);
  if (typeof prices?.currency !== 'string')
    throw cupelError('CUP_PRICES_INVALID', { file, entry: 'currency', expected: 'a code such as USD' });
  for (const path of NUMBERS) {
    const value = path
      .split('.')
      .reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], prices);
    if (typeof value !== 'number' || !Number.isFinite(value) || value < 0)
      throw cupelError('CUP_PRICES_INVALID', { file, entry: path, expected: 'a number, 0 or more' });
  }
  return prices;
}

const round = (value: number): number => Math.round(value * 10_000) / 10_000;

/** Estimates what a plan would cost: workers by bytes, and the requests that objects and jobs make. */
export function estimateCost(
  prices: Prices,
  { toProcess, chunks }: Pick<PlanTotals, 'toProcess' | 'chunks'>,
): CostEstimate {
  const { job, dataflow, storage } = prices;
  const seconds = chunks * job.startupSeconds + (toProcess.bytes / 2 ** 30) * job.secondsPerGib;
  const workerHours = seconds / 3600;
  const hour = job.vcpus * dataflow.vcpuHour + job.memoryGb * dataflow.memoryGbHour + job.diskGb * dataflow.diskGbHour;
  // Each object is verified once and read once.
  const requests = (toProcess.objects * 2 * storage.classB + chunks * WRITES_PER_JOB * storage.classA) / 10_000;
  return {
    currency: prices.currency,
    jobs: chunks,
    workerHours: round(workerHours),
    dataflow: round(workerHours * hour),
    storage: round(requests),
    total: round(workerHours * hour + requests),
  };
}
