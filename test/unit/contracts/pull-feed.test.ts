import { expect, test } from 'vitest';
import { earthquakes } from '../../support/contracts.ts';

const change = (from: string, to: string) => () => earthquakes((yaml) => yaml.replace(from, to));

test.each([
  [
    'a host that is not on the list',
    'https://earthquake.usgs.gov/fdsnws',
    'https://example.org/fdsnws',
    /host of fdsn in hosts/,
  ],
  ['a feed that nobody polls', 'repairs: [all_hour,', 'repairs: [all_year,', /fdsn repairs all_year/],
  ['a parameter said twice', 'endParameter: endtime', 'endParameter: starttime', /every parameter of fdsn once/],
  ['windows of half an hour', 'windowSeconds: 86400', 'windowSeconds: 1800', /windowSeconds/],
  ['parameters in the address', 'event/1/query', 'event/1/query?format=geojson', /url/],
  ['a limit of one record', 'pageSize: 20000', 'pageSize: 1', /pageSize/],
])('%s is refused, with its line', (_name, from, to, expected) => {
  expect(change(from, to)).toThrow(expected);
});

test('a contract without a pulled feed is as good as before', () => {
  const without = earthquakes((yaml) => yaml.replace(/ {6}# What polls missed[\s\S]*?repairs: .*\n/, ''));
  expect(without.feeds.map(({ kind }) => kind ?? 'poll')).toEqual(['poll', 'poll', 'poll']);
});
