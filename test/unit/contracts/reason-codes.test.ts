import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { PROJECT } from '../../../scripts/tools.ts';
import { REASON_CODES } from '../../../src/contracts/index.ts';
import { ERRORS } from '../../../src/errors.ts';

const catalogue = Object.keys(REASON_CODES);
const page = readFileSync(path.join(PROJECT, 'docs/quarantine.md'), 'utf8');
/** Codes of the tables of the chapter on reasons. */
const chapter = page.split(/^## /m).find((part) => part.startsWith('Reasons')) ?? '';
const documented = [...chapter.matchAll(/^\| `([A-Za-z_]+)` \|/gm)].map(([, code]) => code ?? '');

/** Source files that refuse records. */
function sources(): { file: string; text: string }[] {
  const files = ['src', 'beam'].flatMap((folder) =>
    readdirSync(path.join(PROJECT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => path.join(folder, name)),
  );
  return files.map((file) => ({ file, text: readFileSync(path.join(PROJECT, file), 'utf8') }));
}

test('every reason code has a row in docs/quarantine.md, and no other code has one', () => {
  expect(documented.filter((code) => !code.startsWith('CUP_')).sort()).toEqual([...catalogue].sort());
});

test('whole objects and files are refused by codes of the catalogue of errors', () => {
  const wholes = documented.filter((code) => code.startsWith('CUP_'));
  expect(wholes).not.toEqual([]);
  expect(wholes.filter((code) => !(code in ERRORS))).toEqual([]);
});

test('no source file refuses a record by a code that the catalogue lacks, and every code is used', () => {
  const used = sources().flatMap(({ file, text }) =>
    [...text.matchAll(/reasonCode: '([^']*)'/g)].map(([, code]) => ({ file, code: code ?? '' })),
  );
  expect(used.filter(({ code }) => !catalogue.includes(code))).toEqual([]);
  expect(catalogue.filter((known) => !used.some(({ code }) => code === known))).toEqual([]);
});
