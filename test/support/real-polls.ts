import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';

/** Folder of recorded real input: `CUPEL_TEST_DATA`, else `../shared/data` beside the project. It may be absent. */
export const REAL_DATA = process.env.CUPEL_TEST_DATA ?? path.resolve(import.meta.dirname, '../../../shared/data');

/** Whether recorded polls are there; without them the tests run on made input and say so. */
export const hasRealPolls = existsSync(path.join(REAL_DATA, 'usgs'));

/** Every recorded poll below the folder, by name: bytes as the API sent them. */
export function realPolls(folder = path.join(REAL_DATA, 'usgs')): { name: string; bytes: Uint8Array }[] {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.geojson.gz'))
    .sort()
    .map((name) => ({ name, bytes: gunzipSync(readFileSync(path.join(folder, name))) }));
}
