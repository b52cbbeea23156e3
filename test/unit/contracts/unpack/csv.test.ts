import fc from 'fast-check';
import { expect, test } from 'vitest';
import { normaliser, rawRecord, unpackObject } from '../../../../src/contracts/index.ts';
import type { Row } from '../../../../src/contracts/index.ts';
import { csvLines } from '../../../../src/contracts/rules/unpack/csv-lines.ts';
import { contractOf } from '../../../support/contracts.ts';

const contract = contractOf('networks');
const HEADER = 'code,name,operator,region,stations,longitude,latitude,active,updated';
const LINE = 'CI,Southern California,Caltech,California,412,-118.1,34.1,true,2025-01-02T00:00:00Z';

const file = (...lines: string[]): Buffer => Buffer.from([HEADER, ...lines].join('\n'));

async function rowsOf(bytes: Uint8Array, of = contract): Promise<(Row | string)[]> {
  const { carrierOrder, records } = await unpackObject(of, bytes, 'file');
  return records.map((record) => {
    const result = normaliser(of)(record, { carrierOrder, bronzeObject: 'file' });
    return 'row' in result ? result.row : `${result.reject.reasonCode}: ${result.reject.detail}`;
  });
}

const refusal = (bytes: Uint8Array) =>
  unpackObject(contract, bytes, 'file').then(
    () => 'opened',
    (error: Error) => error.message,
  );

test('each line is a row, with the types of its columns; the version is the carrier order', async () => {
  expect(await rowsOf(file(LINE))).toEqual([
    expect.objectContaining({
      network: 'ci',
      name: 'Southern California',
      stations: 412,
      longitude: -118.1,
      active: true,
      updated_at: 1_735_776_000_000_000n,
      _carrier_order: 1_735_776_000_000_000n,
      _record_id: 'file#0',
    }),
  ]);
});

test('quotes hold delimiters, quotes and line breaks; a byte order mark and an empty last line are no text', async () => {
  const bytes = Buffer.concat([
    Buffer.from('\ufeff'),
    file('us,"NEIC, ""Golden""\nColorado",,,,,,,2025-01-02T00:00:00Z', ''),
  ]);
  expect(await rowsOf(bytes)).toEqual([expect.objectContaining({ name: 'NEIC, "Golden"\nColorado', operator: null })]);
});

test.each([
  ['too few fields', 'xx,short', 'malformed_record: expected 9 fields, found 2'],
  ['too many fields', `${LINE},more`, 'malformed_record: expected 9 fields, found 10'],
  ['an empty required field', LINE.replace('Southern California', ''), 'missing_required: name'],
  ['text for a number', LINE.replace('412', 'many'), 'wrong_type: stations: expected an integer'],
  [
    'a number beyond 2^53',
    LINE.replace('412', '9007199254740993'),
    'out_of_range: stations: expected a whole number within 2^53',
  ],
  ['another word for true', LINE.replace('true', 'yes'), 'wrong_type: active: expected true or false'],
  [
    'a day that does not exist',
    LINE.replace('01-02', '02-30'),
    'wrong_type: updated_at: expected a time as RFC 3339 has it',
  ],
])('%s costs its own line only', async (_name, line, reason) => {
  const [first, second] = await rowsOf(file(line, LINE));
  expect(first).toBe(reason);
  expect(second).toMatchObject({ network: 'ci' });
});

test.each([
  ['a quote that is never closed', 'us,"never closed,2025'],
  ['text behind a closing quote', LINE.replace('Caltech', '"Cal"tech')],
  ['text before a quote', LINE.replace('Caltech', ' "Caltech"')],
  ['a quote inside a field', LINE.replace('Caltech', '5" pipe')],
])('%s costs its own line only, and is kept exactly as it came', async (_name, line) => {
  const bytes = file(LINE, line, LINE, LINE);
  const rows = await rowsOf(bytes);
  expect(rows[1]).toBe('malformed_record: expected quotes around a whole field, and closed');
  const good: unknown = expect.objectContaining({ network: 'ci' });
  expect(rows.toSpliced(1, 1)).toEqual([good, good, good]);
  expect((await rawRecord(contract, bytes, 1)).toString()).toBe(line);
});

test('line ends may be mixed', async () => {
  const bytes = Buffer.from(`${HEADER}\r\n${LINE}\n${LINE}\r${LINE}\r\n\r\n`);
  expect(await rowsOf(bytes)).toHaveLength(3);
  for (const row of await rowsOf(bytes)) expect(row).toMatchObject({ network: 'ci' });
});

test('whatever fields hold, they are read as they were written', () => {
  const field = fc.stringMatching(/^[a",;\r\n é]{0,6}$/);
  const table = fc.array(fc.tuple(field, field, field), { minLength: 1, maxLength: 6 });
  const style = fc.record({
    end: fc.constantFrom('\r\n', '\n', '\r'),
    delimiter: fc.constantFrom(',', ';'),
    always: fc.boolean(),
  });
  fc.assert(
    fc.property(table, style, (rows, { end, delimiter, always }) => {
      const write = (value: string): string =>
        always || /[",;\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
      const text = rows.map((row) => row.map(write).join(delimiter)).join(end);
      expect(csvLines(text, delimiter).map(({ fields }) => fields)).toEqual(rows);
    }),
  );
});

test('whatever the text, every line is there once and in order', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a",\r\n]{0,40}$/), (text) => {
      const lines = csvLines(text, ',').map(({ raw }) => raw);
      expect(lines.join('').replace(/[\r\n]/g, '')).toBe(text.replace(/[\r\n]/g, ''));
    }),
  );
});

test('quarantine keeps exactly the line', async () => {
  expect((await rawRecord(contract, file(LINE, 'xx,"a ""b"""'), 1)).toString().trim()).toBe('xx,"a ""b"""');
});

test.each([
  ['no header', Buffer.alloc(0), /expected a header line/],
  ['a name twice', Buffer.from('code,code\n1,2'), /expected every name of the header once/],
  ['no required column', Buffer.from('code,updated\nCI,2025-01-01T00:00:00Z'), /expected a column name in the header/],
  ['other bytes than its encoding', Buffer.from([0x63, 0xff, 0xfe]), /expected text in utf-8/],
])('a file with %s is refused whole', async (_name, bytes, message) => {
  expect(await refusal(bytes)).toMatch(message);
});

test('delimiter and encoding are the contract’s', async () => {
  const german = contractOf('networks', (yaml) =>
    yaml.replace('extension: csv }', "extension: csv, delimiter: ';', encoding: windows-1252 }"),
  );
  const text = `${HEADER}\n${LINE}`.replaceAll(',', ';').replace('Caltech', 'B\xfcro');
  expect(await rowsOf(Buffer.from(text, 'latin1'), german)).toEqual([expect.objectContaining({ operator: 'Büro' })]);
});

test('a header named __proto__ is a name like any other', async () => {
  const bytes = Buffer.from(`${HEADER},__proto__\n${LINE},polluted`);
  expect(await rowsOf(bytes)).toEqual([expect.objectContaining({ network: 'ci' })]);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

test('a name of the header may have dots: a line is flat', async () => {
  const dotted = contractOf('networks', (yaml) =>
    yaml
      .replace('operator: { from: operator }', "operator: { from: 'Op. (name)' }")
      .replace('  - property: feeds', '  - { property: ignoredFields, value: [No. of staff] }\n  - property: feeds'),
  );
  const bytes = Buffer.from(`${HEADER.replace('operator', 'Op. (name)')},No. of staff,No\n${LINE},7,8`);
  expect(await rowsOf(bytes, dotted)).toEqual([expect.objectContaining({ operator: 'Caltech' })]);
  const { records } = await unpackObject(dotted, bytes, 'file');
  const [record] = records;
  if (!record) throw new Error('expected a record');
  expect(normaliser(dotted)(record, { carrierOrder: undefined, bronzeObject: 'file' }).unknown).toEqual([
    { path: ['No'], kind: 'string' },
  ]);
});
