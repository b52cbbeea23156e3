import { expect, test } from 'vitest';
import { feltReports } from '../../../local/felt/reports.ts';
import { messageMaker } from '../../../src/sdk/message.ts';
import { contractOf } from '../../support/contracts.ts';

const QUAKES = [
  { event_id: 'ci1', time: Date.UTC(2025, 4, 4), longitude: 179.9, latitude: 35, magnitude: 7.5 },
  { event_id: 'us2', time: Date.UTC(2025, 4, 5), longitude: -118, latitude: -89.9, magnitude: null },
];
const reports = feltReports(QUAKES, 2_000);

test('the same seed gives the same reports, another one others', () => {
  expect(feltReports(QUAKES, 2_000)).toEqual(reports);
  expect(feltReports(QUAKES, 2_000, 2)).not.toEqual(reports);
  expect(feltReports([], 5)).toEqual([]);
});

test('each is one that the contract accepts, with an id of its own', () => {
  const make = messageMaker(contractOf('felt_reports'));
  for (const report of reports)
    expect(() => make(report, { recordId: report.report_id, carrierOrder: 1n })).not.toThrow();
  expect(new Set(reports.map(({ report_id }) => report_id)).size).toBe(reports.length);
});

test('people feel an earthquake after it happened, on the globe, within the scale', () => {
  for (const { event_id, felt_at, intensity, longitude, latitude } of reports) {
    const { time } = QUAKES.find((quake) => quake.event_id === event_id)!;
    expect(Date.parse(felt_at)).toBeGreaterThan(time);
    expect(Number.isInteger(intensity) && intensity >= 1 && intensity <= 12).toBe(true);
    expect(Math.abs(longitude ?? 0)).toBeLessThanOrEqual(180);
    expect(Math.abs(latitude ?? 0)).toBeLessThanOrEqual(90);
  }
});

test('both earthquakes are felt, the stronger one more; some reports lack place or comment', () => {
  const mean = (id: string): number => {
    const of = reports.filter(({ event_id }) => event_id === id);
    return of.reduce((sum, { intensity }) => sum + intensity, 0) / of.length;
  };
  expect(mean('ci1')).toBeGreaterThan(mean('us2') + 2);
  for (const column of ['longitude', 'comment'] as const)
    expect(new Set(reports.map((report) => report[column] === null))).toEqual(new Set([true, false]));
});
