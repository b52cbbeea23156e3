import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readFile } from 'node:fs/promises';
import { afterAll, describe, expect, it } from 'vitest';
import type { Trial } from '../../../bench/streaming/contender.ts';
import { MAX_LATENCY_SECONDS, quickContracts, SOURCE } from '../../../bench/streaming/contracts.ts';
import { stagesOf } from '../../../bench/streaming/cupel/stages.ts';
import { highestHeld, isHeld } from '../../../bench/streaming/hold.ts';
import { latenciesOfMessages, latenciesOfRows } from '../../../bench/streaming/latencies.ts';
import { EventMessages } from '../../../bench/streaming/load/event-messages.ts';
import { Pace } from '../../../bench/streaming/load/pace.ts';
import { memoryOfSamples } from '../../../bench/streaming/memory.ts';
import { readOptions } from '../../../bench/streaming/options.ts';
import { memoryText, ratios, stageTable, trialTable } from '../../../bench/streaming/report.ts';
import { normaliser } from '../../../src/contracts/index.ts';
import { encodeParquet } from '../../../src/lakehouse/deltas/index.ts';
import { loadContract } from '../../../src/lakehouse/contract-store.ts';
import { streamedRecord } from '../../../src/lakehouse/streams/index.ts';
import { PROJECT } from '../../../scripts/tools.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'cupel-streaming-bench-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const NOW = Date.UTC(2026, 0, 1);
const ORIGIN = { source: 'earthquakes', feed: 'all_hour', extension: 'geojson', contract: 'c0' };

describe('the load', () => {
  it('is made of messages that the contract accepts, half of them new versions of known keys', async () => {
    const contract = await loadContract(path.join(PROJECT, 'sources'), 'earthquakes');
    const normalise = normaliser(contract);
    const messages = new EventMessages(ORIGIN);
    const newest = new Map<string, number>();
    for (let index = 0; index < 2_000; index += 1) {
      const now = NOW + Math.floor(index / 10); // ten a millisecond: versions rise all the same
      const { id, updated, data, attributes } = messages.next(now);
      const message = { id: String(index), publishTime: String(now * 1000), attributes, data: data.toString('base64') };
      const { record, context, partition } = streamedRecord(contract, message);
      const result = normalise(record, context);
      if (!('row' in result)) throw new Error(result.reject.reasonCode);
      expect(partition).toBe('all_hour/2026-01-01T00');
      expect([result.row.event_id, result.row.updated_at]).toEqual([id, BigInt(updated) * 1000n]);
      expect(updated).toBeGreaterThan(newest.get(id) ?? now - 1);
      newest.set(id, updated);
    }
    expect(newest.size).toBeGreaterThan(900);
    expect(newest.size).toBeLessThan(1_100);
  });

  it('is the same for the same seed', () => {
    const [a, b, other] = [new EventMessages(ORIGIN), new EventMessages(ORIGIN), new EventMessages(ORIGIN, 2)];
    const first = a.next(NOW);
    expect(b.next(NOW)).toEqual(first);
    expect(other.next(NOW)).not.toEqual(first);
  });

  it('catches up after a pause, and never gives more than was asked', () => {
    const pace = new Pace(500, 2, 1_000);
    expect(pace.due(1_000)).toBe(0);
    expect(pace.due(1_010)).toBe(5);
    expect(pace.due(1_400)).toBe(195);
    expect(pace.due(2_000, 10)).toBe(10);
    expect(pace.done).toBe(false);
    expect(pace.due(9_000)).toBe(790);
    expect([pace.done, pace.due(10_000)]).toEqual([true, 0]);
  });
});

describe('latencies', () => {
  const sentFile = (name: string, rows: [string, number, number][]): string => {
    const file = path.join(directory, name);
    writeFileSync(file, ['id,updated,published', ...rows.map((row) => row.join(','))].join('\n'));
    return file;
  };

  const parquet = (name: string, rows: [string, number][]): string => {
    const file = path.join(directory, name);
    const columns = [
      { name: 'event_id', type: 'string', required: true },
      { name: 'updated_at', type: 'timestamptz', required: true },
    ] as const;
    const values = rows.map(([event_id, updated]) => ({ event_id, updated_at: BigInt(updated) * 1000n }));
    writeFileSync(file, encodeParquet(columns, values));
    return file;
  };

  it('count until the first file with the row, or with a later version of it', async () => {
    const sent = sentFile('rows.csv', [
      ['a', NOW, NOW],
      ['a', NOW + 10, NOW + 10],
      ['b', NOW + 20, NOW + 20],
      ['c', NOW + 30, NOW + 30],
      ['b', NOW + 400, NOW + 400],
    ]);
    const first = parquet('1.parquet', [
      ['a', NOW + 10], // both versions of a at once
      ['b', NOW + 20],
    ]);
    const second = parquet('2.parquet', [
      ['a', NOW + 10], // the file was rewritten: a was seen before
      ['b', NOW + 400],
      ['c', NOW + 20], // an older version of c: not what was sent
    ]);
    const sightings = [
      { file: first, seenMs: NOW + 1_000 },
      { file: second, seenMs: NOW + 2_000 },
    ];
    const found = await latenciesOfRows(sent, sightings);
    expect(found).toMatchObject({ messages: 5, unseen: 1, p50Ms: 1_000, p99Ms: Infinity, maxMs: Infinity });
    const none = await latenciesOfRows(sent, []);
    expect(none).toMatchObject({ messages: 5, unseen: 5, p50Ms: Infinity });
  });

  it('tell by how much they grow, the first quarter left out', async () => {
    const times = Array.from({ length: 101 }, (_, index) => NOW + index * 100);
    const sent = sentFile(
      'grow.csv',
      times.map((at, index) => [`k${index}`, at, at]),
    );
    const received = path.join(directory, 'received.csv');
    // 5 s at the start, which is no growth, and then half a second more in each second.
    const seen = times.map((at, index) => `${at},${at + (index < 25 ? 5_000 : index * 50)}`);
    writeFileSync(received, ['published,seen', ...seen].join('\n'));
    const found = await latenciesOfMessages(sent, received);
    expect(found).toMatchObject({ messages: 101, unseen: 0, maxMs: 5_000 });
    expect(found.growth).toBeCloseTo(0.5);
  });
});

const latencies = { messages: 600, unseen: 0, p50Ms: 1_500, p99Ms: 3_000, maxMs: 3_500, growth: 0 };
const memory = { peakMb: 500, quartersMb: [100, 400, 410, 420] };
const trial: Trial = {
  ...{ name: 'cupel', load: { perSecond: 10, seconds: 60 }, perSecond: 10, latencies, cpuSeconds: 6, memory },
  cpuBy: { job: 4, worker: 2 },
  otherCpuSeconds: 0.5,
};

describe('the highest rate', () => {
  it('is one that was reached and seen, without growing latency', () => {
    expect(isHeld(trial)).toBe(true);
    expect(isHeld({ ...trial, perSecond: 9.7 })).toBe(false);
    expect(isHeld({ ...trial, latencies: { ...latencies, unseen: 1 } })).toBe(false);
    expect(isHeld({ ...trial, latencies: { ...latencies, growth: 0.05 } })).toBe(false);
    expect(isHeld({ ...trial, latencies: { ...latencies, growth: 0.02 } })).toBe(true); // 1.2 s of 60: a pause
    expect(isHeld({ ...trial, load: { perSecond: 10, seconds: 300 }, latencies: { ...latencies, growth: 0.02 } })).toBe(
      false,
    );
  });

  it.each([1, 7, 640, 1_000, 1_700, 33_000])(
    'is found to a quarter from wherever the search begins: %i',
    async (limit) => {
      for (const from of [50, 1_000, 20_000]) {
        const tried: number[] = [];
        const found = await highestHeld({ from, precision: 1.25 }, (rate) => {
          tried.push(rate);
          return Promise.resolve(rate <= limit);
        });
        expect(found).toBeLessThanOrEqual(limit);
        expect(found).toBeGreaterThanOrEqual(Math.floor(limit / 1.3));
        expect(new Set(tried).size).toBe(tried.length);
        expect(tried.length).toBeLessThan(22);
      }
    },
  );

  it('is none where nothing is held', async () => {
    expect(await highestHeld({ from: 1_000, precision: 1.25 }, () => Promise.resolve(false))).toBe(0);
  });
});

it('memory is told by quarters of the time', () => {
  const samples = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 500];
  expect(memoryOfSamples(samples)).toEqual({ peakMb: 500, quartersMb: [20, 50, 80, 110] });
  expect(memoryText(trial)).toContain('100, 400, 410, 420 MB, the last is 1.05 × the second');
});

it('the way of a batch is told apart, and its parts add up', () => {
  const times = { oldest: 0, newest: 900, manifest: 1_200, group: 2_000, snapshot: 2_700, seen: 2_900 };
  const stages = stagesOf([times, times, { ...times, seen: 4_000 }]);
  expect(stages.map(({ medianMs }) => medianMs)).toEqual([900, 300, 800, 700, 200]);
  expect(stages.at(-1)?.maxMs).toBe(1_300);
  expect(stageTable([{ ...trial, stages }])).toContain('job 4.0, worker 2.0');
  expect(stageTable([trial])).toBe('');
});

it('the table says what was not seen, and ratios are those of one rate', () => {
  const bare: Trial = { ...trial, name: 'bare', cpuSeconds: 0.6, latencies: { ...latencies, p50Ms: 15, p99Ms: 30 } };
  const lost: Trial = { ...trial, name: 'beam-python', latencies: { ...latencies, unseen: 9, p99Ms: Infinity } };
  expect(trialTable([trial, lost])).toMatch(/Beam Python.*\| not seen .*\| 9 .*\| no /);
  expect(ratios([trial, bare])).toBe(
    '10/s: bare consumer, acknowledges only against Cupel: 0.010 × the p50, 0.010 × the p99, 0.10 × the CPU',
  );
  expect(ratios([trial, { ...bare, load: { perSecond: 20, seconds: 60 } }])).toBe('');
});

it('the contract asks for the least latencies, and is else the source’s', async () => {
  const folder = await quickContracts(path.join(directory, 'quick'));
  const [quick, own] = [await loadContract(folder, SOURCE), await loadContract(path.join(PROJECT, 'sources'), SOURCE)];
  expect(quick.stream).toEqual({ ...own.stream, maxLatencySeconds: MAX_LATENCY_SECONDS });
  expect(quick.commit.maxLatencySeconds).toBe(MAX_LATENCY_SECONDS);
  expect({ ...quick, hash: '', commit: 0, stream: 0 }).toEqual({ ...own, hash: '', commit: 0, stream: 0 });
  expect(await readFile(path.join(folder, 'felt_reports.yaml'), 'utf8')).toContain('felt_reports');
});

it('options name what was expected', () => {
  expect(readOptions(['--help'])).toBeUndefined();
  expect(readOptions([])).toMatchObject({
    parts: ['latency'],
    contenders: ['cupel', 'bare'],
    rates: [500, 5_000],
    seconds: 60,
  });
  expect(readOptions(['--parts', 'memory,rate'])).toMatchObject({ parts: ['rate', 'memory'], holdSeconds: 300 });
  expect(() => readOptions(['--contenders', 'flink'])).toThrow(
    '--contenders: expected some of cupel,bare,beam-python, found flink',
  );
  expect(() => readOptions(['--rate', '0'])).toThrow('--rate: expected a whole number above 0');
  expect(() => readOptions(['--parts', 'memory'])).toThrow('--memory-rate');
});
