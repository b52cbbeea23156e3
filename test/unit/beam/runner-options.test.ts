import { expect, test } from 'vitest';
import { runnerOf } from '../../../beam/runners/index.ts';

test('no option is the direct runner; a portable one needs the address of its job service', () => {
  expect(runnerOf({})).not.toHaveProperty('start');
  expect(runnerOf({ runner: 'direct' })).not.toHaveProperty('start');
  expect(runnerOf({ runner: 'prism', 'job-endpoint': 'localhost:8073' })).toHaveProperty('start');
  expect(runnerOf({ runner: 'flink', 'job-endpoint': '[::1]:8073' })).toHaveProperty('start');
});

test.each([
  [{ runner: 'spark' }, '--runner=spark'],
  [{ runner: 'prism' }, '--runner=prism'],
  [{ runner: 'prism', 'job-endpoint': 'http://localhost:8073' }, '--job-endpoint=http://localhost:8073'],
  [{ runner: 'flink', 'job-endpoint': 'localhost' }, '--job-endpoint=localhost'],
  [{ 'job-endpoint': 'localhost:8073' }, '--runner=direct --job-endpoint=localhost:8073'],
])('%j is refused, and the error says what was expected and found', (values, found) => {
  const refused = () => runnerOf(values);
  expect(refused).toThrow('CUP_REQUEST_INVALID');
  expect(refused).toThrow(found);
});
