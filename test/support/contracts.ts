import { readFileSync } from 'node:fs';
import { compileContract } from '../../src/contracts/index.ts';
import type { CompiledContract, Row } from '../../src/contracts/index.ts';

const FILE = new URL('../../sources/earthquakes.yaml', import.meta.url);

/** The text of the earthquakes contract. */
export const earthquakesYaml = (): string => readFileSync(FILE, 'utf8');

/** The earthquakes contract, compiled; `edit` changes its text first. */
export function earthquakes(edit: (yaml: string) => string = (yaml) => yaml): CompiledContract {
  return compileContract(edit(earthquakesYaml()), 'sources/earthquakes.yaml');
}

/** A contract of `sources/`, compiled; `edit` changes its text first. */
export function contractOf(source: string, edit: (yaml: string) => string = (yaml) => yaml): CompiledContract {
  const file = `sources/${source}.yaml`;
  return compileContract(edit(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')), file);
}

/** A row as text, for comparing tables: bigint as digits, columns as given. */
export function rowText(row: Row, columns: string[]): string {
  return JSON.stringify(columns.map((column) => (typeof row[column] === 'bigint' ? String(row[column]) : row[column])));
}
