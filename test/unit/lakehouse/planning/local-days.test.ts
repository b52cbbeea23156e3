import fc from 'fast-check';
import { expect, test } from 'vitest';
import { resolveRange, startOfDay } from '../../../../src/lakehouse/planning/local-days.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const nextDay = (date: string): string => new Date(Date.parse(date) + DAY).toISOString().slice(0, 10);
const startsAt = (date: string, zone: string): string => startOfDay(date, zone).toISOString();
const hoursOf = (date: string, zone: string): number =>
  (startOfDay(nextDay(date), zone).getTime() - startOfDay(date, zone).getTime()) / HOUR;

test.each([
  ['Europe/Berlin', '2025-03-30', '2025-03-29T23:00:00.000Z', 23],
  ['Europe/Berlin', '2025-10-26', '2025-10-25T22:00:00.000Z', 25],
  ['Europe/Berlin', '2025-07-01', '2025-06-30T22:00:00.000Z', 24],
  ['America/New_York', '2025-03-09', '2025-03-09T05:00:00.000Z', 23],
  ['America/New_York', '2025-11-02', '2025-11-02T04:00:00.000Z', 25],
  ['America/New_York', '2025-01-01', '2025-01-01T05:00:00.000Z', 24],
  // Clocks move by half an hour.
  ['Australia/Lord_Howe', '2025-04-06', '2025-04-05T13:00:00.000Z', 24.5],
  ['Australia/Lord_Howe', '2025-10-05', '2025-10-04T13:30:00.000Z', 23.5],
  ['Asia/Kolkata', '2025-03-30', '2025-03-29T18:30:00.000Z', 24],
  ['Asia/Kathmandu', '2025-03-30', '2025-03-29T18:15:00.000Z', 24],
  // Midnight does not exist: the day begins at one o'clock.
  ['America/Sao_Paulo', '2018-11-04', '2018-11-04T03:00:00.000Z', 23],
  ['Africa/Cairo', '2024-04-26', '2024-04-25T22:00:00.000Z', 23],
  // Midnight would come twice: the first time clocks go back to the day before.
  ['Africa/Cairo', '2024-10-31', '2024-10-30T21:00:00.000Z', 25],
  ['America/Sao_Paulo', '2018-02-17', '2018-02-17T02:00:00.000Z', 25],
  // Midnight comes twice on the same day, at the end of the hour before and again: the day begins with the first.
  ['Atlantic/Azores', '2025-10-26', '2025-10-26T00:00:00.000Z', 25],
  // A day that was left out is empty; the one after it begins where it would have.
  ['Pacific/Apia', '2011-12-30', '2011-12-30T10:00:00.000Z', 0],
  ['UTC', '2024-02-29', '2024-02-29T00:00:00.000Z', 24],
])('%s: %s begins at %s and has %d hours', (zone, date, start, hours) => {
  expect([startsAt(date, zone), hoursOf(date, zone)]).toEqual([start, hours]);
});

const ZONES = [
  ...['UTC', 'Europe/Berlin', 'Europe/Dublin', 'America/New_York', 'America/St_Johns', 'America/Sao_Paulo'],
  ...[
    'America/Havana',
    'America/Nuuk',
    'Africa/Cairo',
    'Africa/Casablanca',
    'Asia/Kolkata',
    'Asia/Tehran',
    'Asia/Gaza',
  ],
  ...[
    'Asia/Pyongyang',
    'Australia/Lord_Howe',
    'Pacific/Apia',
    'Pacific/Chatham',
    'Pacific/Kiritimati',
    'Antarctica/Troll',
  ],
];

const dates = fc.integer({ min: Date.UTC(1975, 0, 1) / DAY, max: Date.UTC(2037, 11, 1) / DAY });
const dateOf = (day: number): string => new Date(day * DAY).toISOString().slice(0, 10);
const calendars = new Map(
  ZONES.map((timeZone) => [
    timeZone,
    // A calendar by other means than the code's: dates only.
    new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' }),
  ]),
);
const dateIn = (zone: string, at: number): string => calendars.get(zone)?.format(at) ?? '';

/** Days that islands left out when they moved to the other side of the date line. */
const LEFT_OUT = new Set(['Pacific/Apia 2011-12-30', 'Pacific/Kiritimati 1994-12-31']);
const leftOut = (zone: string, date: string): boolean => LEFT_OUT.has(`${zone} ${date}`);

test('a day begins with the first moment that shows it in its zone', () => {
  fc.assert(
    fc.property(fc.constantFrom(...ZONES), dates, (zone, day) => {
      const date = dateOf(day);
      const start = startOfDay(date, zone).getTime();
      // A day that was left out is never shown.
      const shown = dateIn(zone, start);
      expect(shown === date || leftOut(zone, date)).toBe(true);
      const before = Array.from({ length: 12 }, (_, quarter) => start - 1 - quarter * 15 * 60_000);
      for (const at of before) expect(dateIn(zone, at) < date).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test('days tile any range of any zone without hole or overlap, at least 20 and at most 28 hours each', () => {
  fc.assert(
    fc.property(fc.constantFrom(...ZONES), dates, fc.integer({ min: 1, max: 40 }), (zone, first, days) => {
      const from = dateOf(first);
      const to = dateOf(first + days);
      let at = startOfDay(from, zone).toISOString();
      for (let day = first; day < first + days; day += 1) {
        if (leftOut(zone, dateOf(day))) continue;
        const one = resolveRange(dateOf(day), dateOf(day + 1), zone);
        expect(Date.parse(one.from)).toBe(Date.parse(at));
        const hours = (Date.parse(one.to) - Date.parse(one.from)) / HOUR;
        expect(hours >= 20 && hours <= 28).toBe(true);
        at = one.to;
      }
      if (days > 1) expect(resolveRange(from, to, zone).to).toBe(at);
    }),
    { numRuns: 150 },
  );
});

test('a date is the local day, a time is UTC whatever the zone', () => {
  expect(resolveRange('2025-05-04', '2025-05-05')).toEqual({
    from: '2025-05-04T00:00:00Z',
    to: '2025-05-05T00:00:00Z',
  });
  expect(resolveRange('2025-05-04', '2025-05-05', 'Europe/Berlin')).toEqual({
    from: '2025-05-03T22:00:00Z',
    to: '2025-05-04T22:00:00Z',
  });
  expect(resolveRange('2025-05-04', '2025-05-04T13:00:00.250Z', 'Europe/Berlin')).toEqual({
    from: '2025-05-03T22:00:00Z',
    to: '2025-05-04T13:00:00.250Z',
  });
});

test.each([
  ['2025-05-05', '2025-05-04'],
  ['2025-05-04', '2025-05-04'],
  ['yesterday', '2025-05-04'],
  ['2025-05-04', ''],
  ['2025-05-04', '2025-05-05T00:00:00'],
  ['2025-05-04', '2025-05-05T00:00:00+02:00'],
  ['2025-13-01', '2026-01-01'],
  ['2025-05-04', '2025-05-04T25:00:00Z'],
])('%s to %s is refused', (from, to) => {
  expect(() => resolveRange(from, to, 'Europe/Berlin')).toThrow(
    expect.objectContaining({ code: 'CUP_RANGE_INVALID' }) as Error,
  );
});

test('a day that is not in the calendar is refused, not taken for another', () => {
  expect(() => resolveRange('2025-02-30', '2025-03-05', 'Europe/Berlin')).toThrow(
    expect.objectContaining({ code: 'CUP_RANGE_INVALID' }) as Error,
  );
});
