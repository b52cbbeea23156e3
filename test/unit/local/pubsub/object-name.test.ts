import { expect, test } from 'vitest';
import { archiveName, datetimeProblem } from '../../../../local/pubsub/cloud-storage/object-name.ts';

const TIME = new Date('2023-09-25T04:10:00.789Z');

// The examples of Google's documentation.
test.each([
  [{ filenamePrefix: 'prod_', filenameSuffix: '_archive' }, 'prod_2023-09-25T04:10:00+00:00_ID_archive'],
  [
    { filenamePrefix: 'prod_', filenameSuffix: '_archive', filenameDatetimeFormat: 'YYYY-MM-DD/hh_mm_ssZ' },
    'prod_2023-09-25/04_10_00Z_ID_archive',
  ],
  // The separator at its end takes the place of the one before the id.
  [{ filenameDatetimeFormat: 'YY/MM/DD/hh/mm/ss/' }, '23/09/25/04/10/00/ID'],
])('%o', (config, name) => {
  expect(archiveName(config, TIME, 'ID')).toBe(name);
});

test.each([
  ['YYYY-MM-DDThh:mm:ssZ', undefined],
  ['YYYYMMDD_hhmmss+00:00', undefined],
  ['YYYY-MM-DD', 'must have hh once'],
  ['YYYY-MM-DD/hh:mm:ss/hh', 'must have hh once'],
  ['YYYY-YY-MM-DD/hh:mm:ss', 'must have YYYY once'],
  ['YYYY-MM-DDThh:mm:ssZ+00:00', 'T or Z more than once'],
  ['YYYY.MM.DD hh:mm:ss', 'no part of a time'],
])('the format %s', (format, problem) => {
  if (problem) expect(datetimeProblem(format)).toContain(problem);
  else expect(datetimeProblem(format)).toBeUndefined();
});
