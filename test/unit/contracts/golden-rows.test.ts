import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { normaliser, Reducer, unpackObject } from '../../../src/contracts/index.ts';
import { earthquakes } from '../../support/contracts.ts';

const FOLDER = path.resolve(import.meta.dirname, '../../fixtures/golden');

// The rows that a version of the rules makes of a fixed poll. When this fails, the rules make other rows than they did: raise
// rulesVersion in sources/earthquakes.yaml and add the rows of the new version. Rows of an old version never change.
test('the rules of this version make the rows that they always made', async () => {
  const contract = earthquakes();
  const bytes = readFileSync(path.join(FOLDER, 'poll.geojson'));
  const { carrierOrder, records } = await unpackObject(contract, bytes, 'golden');
  const normalise = normaliser(contract);
  const reducer = new Reducer(contract);
  const refused: unknown[] = [];
  for (const record of records) {
    const result = normalise(record, { carrierOrder, bronzeObject: 'golden' });
    if ('row' in result) reducer.add(result.row, record.value);
    else refused.push({ offset: record.offset, ...result.reject });
  }
  // The contract's own hash changes with every edit of its text, which is not the rules' business.
  const rows = reducer.drain().map(({ _contract, ...row }) => row);
  const found = JSON.stringify(
    { rows, refused },
    (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value),
    1,
  );
  const golden = readFileSync(path.join(FOLDER, `rows.v${contract.rulesVersion}.json`), 'utf8');
  expect(JSON.parse(found)).toEqual(JSON.parse(golden));
});
