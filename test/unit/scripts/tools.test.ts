import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { cacheDirectory, toolPath } from '../../../scripts/tools.ts';

afterEach(() => {
  delete process.env.CUPEL_TOOL_TEST_SERVER;
});

test('tools live under XDG_CACHE_HOME, outside the tree', () => {
  expect(cacheDirectory({ XDG_CACHE_HOME: '/somewhere' })).toBe(path.join('/somewhere', 'cupel'));
});

test('without XDG_CACHE_HOME they live under ~/.cache', () => {
  expect(cacheDirectory({})).toMatch(/\.cache[/\\]cupel$/);
});

test('a tool that is there already is named by its variable', () => {
  process.env.CUPEL_TOOL_TEST_SERVER = '/opt/test-server';
  expect(toolPath('testServer')).toBe('/opt/test-server');
});

test('the folder of a tool carries a hash of the files that pin it', () => {
  expect(toolPath('testServer')).toMatch(/testServer-[0-9a-f]{16}[/\\]temporal-test-server$/);
});
