import { expect, test } from 'vitest';
import type { Explanation, RecordStory, RowStory } from '../../../src/lakehouse/explain/index.ts';
import { explainLines } from '../../../src/starter/verbs/explain-lines.ts';

const record = (object: string, of: Partial<RecordStory>): RecordStory => ({
  ...{ object, offset: 0, recordId: `${object}#0`, partition: 'all_hour/2025-05-04T12', by: 'key', kept: [] },
  ...{ outcome: 'lost', why: 'updated_at older; other content', content: 'B', refused: null, inSilver: false },
  ...{ lostBy: { part: 'updated_at', tiedIn: [] }, becameRow: null },
  order: { updated_at: '2025-05-04T12:00:00.000000Z', _carrier_order: '2025-05-04T12:40:00.000000Z' },
  processing: { state: 'landed', streamed: false },
  ...of,
});

const since = { snapshotId: '7', at: '2025-05-04T13:00:00.000Z', since: 'exact' as const, batchIds: ['b'.repeat(64)] };

const row: RowStory = {
  ...{ key: 'a', hour: null, tie: true, decidedBy: { part: '_carrier_order', tiedIn: ['updated_at'] } },
  verdict: { state: 'agrees', text: 'Silver holds the row of the record that wins' },
  silver: {
    ...{ recordId: 'new#0', object: 'new', contract: 'c'.repeat(64), current: false, rulesVersion: 1 },
    ...{ values: {}, since, logObject: null },
  },
  records: [
    record('new', {
      ...{ outcome: 'winner', why: 'wins: newest updated_at', content: 'A', lostBy: null, inSilver: true },
      ...{ becameRow: since },
      processing: { state: 'settled', batchId: 'b'.repeat(64), outcome: 'committed', snapshotId: '7', contract: '' },
    }),
    record('old', {}),
    record('bad', {
      ...{ outcome: 'refused', why: 'wrong_type, magnitude: expected a number', order: null, content: null },
      kept: [
        {
          ...{ uri: 'gs://q/n.json', code: 'wrong_type', detail: 'magnitude', contract: 'd'.repeat(64), object: 'bad' },
          ...{ offset: 0, partition: null, at: '2025-05-04T14:00:00Z' },
        },
      ],
    }),
  ],
  gold: {
    run: { asOf: '2025-05-04T15:00:00.000Z', invocation: 'i', at: '' },
    readRecordId: 'new#0',
    tables: [
      {
        ...{ table: 'gold.days', through: ['silver.t'], partitionBy: 'day', rows: 1, reached: 'yes', why: 'after' },
        place: [{ column: 'day', from: 'at', value: '2025-05-04' }],
      },
      { table: 'gold.x', through: [], partitionBy: null, rows: null, reached: 'unknown', why: 'why', place: [] },
    ],
  },
};

const explanation = (rows: RowStory[]): Explanation => ({
  ...{ source: 'earthquakes', table: 'silver.earthquakes', rows },
  order: ['updated_at', '_tombstone', '_carrier_order', '_rules_version', '_record_hash'],
  contract: { hash: '', version: '1.0.0', rulesVersion: 1 },
  searched: { from: null, to: null, objects: 3, bytes: 9, snapshots: 1 },
  unreadable: [{ object: 'broken', code: 'CUP_OBJECT_UNREADABLE', detail: '', holdsKey: true }],
  refusedInStream: [],
});

test('a head, and a line for each record, greatest first, with why', () => {
  const lines = explainLines(explanation([row]));
  expect(lines.slice(0, 9)).toEqual([
    'key          a of earthquakes, silver.earthquakes',
    'verdict      AGREES: Silver holds the row of the record that wins',
    'winner       new#0, wins: newest updated_at',
    'tie          several contents have the greatest version',
    'Silver       new#0, made by contract cccccccccccc, which is not in force, rules version 1',
    'snapshot     since snapshot 7, 2025-05-04T13:00:00.000Z, batches bbbbbbbbbbbb',
    'Gold         newest run read Silver as of 2025-05-04T15:00:00.000Z: new#0',
    '  yes        gold.days: day = 2025-05-04, 1 row there; after',
    '  unknown    gold.x: the whole table; why',
  ]);
  const cells = lines.slice(10, 14).map((line) => line.split(/ {2,}/));
  expect(cells).toEqual([
    ['', 'updated_at', '_carrier_order', 'content', 'record', 'why', 'became of it'],
    [
      '*S',
      ...['2025-05-04T12:00:00.000000Z', '2025-05-04T12:40:00.000000Z', 'A', 'new#0', 'wins: newest updated_at'],
      'batch bbbbbbbbbbbb snapshot 7; the row, since snapshot 7, 2025-05-04T13:00:00.000Z, batches bbbbbbbbbbbb',
    ],
    [
      '',
      ...['2025-05-04T12:00:00.000000Z', '2025-05-04T12:40:00.000000Z', 'B', 'old#0'],
      ...['updated_at older; other content', 'landed, not committed yet'],
    ],
    ['x', '-', '-', '-', 'bad#0', 'wrong_type, magnitude: expected a number', 'landed'],
  ]);
  expect(lines[14]).toBe(
    'quarantined  bad#0: wrong_type, magnitude; contract dddddddddddd, 2025-05-04T14:00:00Z, gs://q/n.json',
  );
  expect(lines.at(-2)).toBe('unreadable   broken: CUP_OBJECT_UNREADABLE; its bytes hold the key');
  expect(lines.at(-1)).toContain('all of Bronze: 3 objects, 9 bytes');
});

test('nothing of a log is told so', () => {
  expect(explainLines(explanation([]))[0]).toBe('nothing of this key in earthquakes');
});

test('of a record that a stream may have taken it is said until when its batches are no longer kept', () => {
  const textOf = (processing: RecordStory['processing']): string =>
    explainLines(explanation([{ ...row, records: [record('old', { processing })] }])).join('\n');
  expect(textOf({ state: 'landed', streamed: true })).toContain('landed; no batch took it, a stream may have');
  expect(textOf({ state: 'landed', streamed: true, sweptThrough: '2025-04-14' })).toContain(
    'landed; no batch of Bronze took it, a stream may have: its batches up to 2025-04-14 are no longer kept',
  );
});
