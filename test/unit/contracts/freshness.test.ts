import { expect, test } from 'vitest';
import { freshnessOf } from '../../../src/contracts/index.ts';
import { earthquakes, earthquakesYaml } from '../../support/contracts.ts';

const promise = (line: string): string => `slaProperties:\n  - { ${line} }\n`;

test('reads the freshness that a contract promises', () => {
  expect(freshnessOf(earthquakesYaml())).toBe(2 * 3_600_000);
  expect(freshnessOf(promise('property: freshness, value: 15, unit: minutes'))).toBe(15 * 60_000);
  expect(freshnessOf(promise('property: freshness, value: 1, unit: d'))).toBe(86_400_000);
});

test('no promise, or one that nobody understands, is none', () => {
  expect(freshnessOf('id: x')).toBeUndefined();
  expect(freshnessOf(promise('property: latency, value: 4, unit: h'))).toBeUndefined();
  expect(freshnessOf(promise('property: freshness, value: 4, unit: moons'))).toBeUndefined();
});

const withMaintenance = (value: string) =>
  earthquakes((yaml) => `${yaml.trimEnd()}\n  - property: maintenance\n    value: ${value}\n`);

test('a contract without limits of upkeep has none in its compiled form, so that its hash stays', () => {
  expect('maintenance' in earthquakes()).toBe(false);
});

test('limits of upkeep are checked', () => {
  const value = '{ compactAtFiles: 4, snapshots: { hourlyDays: 2, max: 100 }, orphanAgeDays: 5 }';
  expect(withMaintenance(value).maintenance).toEqual({
    compactAtFiles: 4,
    snapshots: { hourlyDays: 2, max: 100 },
    orphanAgeDays: 5,
  });
  expect(() => withMaintenance('{ snapshots: { max: 1000 } }')).toThrow('CUP_CONTRACT_INVALID');
  expect(() => withMaintenance('{ orphanAgeDays: 0 }')).toThrow('CUP_CONTRACT_INVALID');
  expect(() => withMaintenance('{ vacuum: true }')).toThrow('unknown key');
});
