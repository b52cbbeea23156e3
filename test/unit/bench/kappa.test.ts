import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { checkSame } from '../../../bench/kappa/digest.ts';
import { copyOf } from '../../../bench/kappa/input.ts';
import { phasesOf } from '../../../bench/kappa/phases.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'cupel-kappa-bench-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const table = (rows: number, keys: number, digest: string) => ({ rows, keys, digest });

test('tables that differ fail the benchmark, and so does a key with two rows', () => {
  const same = new Map(['cupel', 'loop'].map((name) => [name, table(2, 2, 'a')]));
  expect(checkSame(same)).toEqual(table(2, 2, 'a'));
  expect(() => checkSame(new Map([...same, ['duckdb', table(2, 2, 'b')]]))).toThrow('duckdb: 2 rows, 2 keys, b');
  expect(() => checkSame(new Map([...same, ['duckdb', table(3, 2, 'a')]]))).toThrow('differ');
  expect(() => checkSame(new Map([['cupel', table(3, 2, 'a')]]))).toThrow('differ');
  expect(() => checkSame(new Map([['cupel', table(0, 0, 'a')]]))).toThrow('no rows');
});

test('a copy of a feature has a key of its own, by its id or else by its URL', () => {
  const properties = { url: 'https://example.org/eventpage/ab1', mag: 1 };
  expect(copyOf({ id: 'ab1', properties }, 0)).toEqual({ id: 'ab1', properties });
  const url = 'https://example.org/eventpage/ab1c2';
  expect(copyOf({ id: 'ab1', properties }, 2)).toEqual({ id: 'ab1c2', properties: { url, mag: 1 } });
  expect(copyOf({ properties }, 2)).toEqual({ properties: { url, mag: 1 } });
});

test('time counts to the phase on the stack; bytes that move count to what the thread computed last', () => {
  const frame = (functionName: string, url = '') => ({ functionName, url });
  const nodes = [
    { id: 1, callFrame: frame('(root)'), children: [2, 3, 4, 6, 7] },
    { id: 2, callFrame: frame('(idle)') },
    { id: 3, callFrame: frame('socketOnData', 'node:_http_client') },
    { id: 4, callFrame: frame('', 'file:///p/beam/sources/bronze-object.ts'), children: [5] },
    { id: 5, callFrame: frame('add', 'file:///p/src/contracts/rules/reducer.ts') },
    { id: 6, callFrame: frame('encodeDelta', 'file:///p/src/lakehouse/deltas/encode-delta.ts') },
    { id: 7, callFrame: frame('(garbage collector)') },
  ];
  const samples = [3, 4, 3, 5, 2, 6, 3, 7];
  const profile = { nodes, samples, timeDeltas: samples.map(() => 1e6) };
  writeFileSync(path.join(directory, 'one.cpuprofile'), JSON.stringify(profile));
  const phases = phasesOf(directory);
  expect(Object.entries(phases).filter(([, seconds]) => seconds > 0)).toEqual([
    ['start', 1],
    ['read', 1],
    ['parse and normalise', 1],
    ['reduce and hash', 1],
    ['encode', 1],
    ['upload', 1],
    ['garbage collection', 1],
  ]);
});
