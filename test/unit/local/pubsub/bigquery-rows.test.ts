import { expect, test } from 'vitest';
import { avroFits, avroValue } from '../../../../local/pubsub/bigquery/avro-columns.ts';
import { columnsOf } from '../../../../local/pubsub/bigquery/columns.ts';
import type { FieldSchema } from '../../../../local/pubsub/bigquery/columns.ts';
import { jsonRow } from '../../../../local/pubsub/bigquery/json-columns.ts';
import { AvroCodec } from '../../../../local/pubsub/schemas/avro-codec.ts';

const oneColumn = (type: string, mode = 'NULLABLE', fields: FieldSchema[] = []) =>
  columnsOf([{ name: 'c', type, mode, fields }]);

test.each([
  ['STRING', '"x"', 'x'],
  ['INTEGER', '12', '12'],
  ['INT64', '9007199254740993', '9007199254740993'],
  ['FLOAT', '1.5', 1.5],
  ['FLOAT64', '"NaN"', 'NaN'],
  ['NUMERIC', '"1.50"', '1.50'],
  ['NUMERIC', '2', '2'],
  ['BOOLEAN', 'true', true],
  ['BYTES', '"AP8="', 'AP8='],
  ['JSON', '"{\\"a\\":1}"', '{"a":1}'],
  ['DATE', '"2024-02-29"', '2024-02-29'],
  ['DATE', '-1', '1969-12-31'],
  ['TIMESTAMP', '"2024-01-01T00:00:00.123456Z"', '2024-01-01T00:00:00.123456Z'],
  ['TIMESTAMP', '-1', '1969-12-31T23:59:59.999999Z'],
  ['DATETIME', '"2024-01-01 00:00:00"', '2024-01-01 00:00:00'],
  ['TIME', '"12:34:56.5"', '12:34:56.5'],
  ['STRING', 'null', null],
])('a column of %s takes %s', (type, json, expected) => {
  expect(jsonRow(`{"c":${json}}`, oneColumn(type), false)).toEqual({ c: expected });
});

test.each([
  ['STRING', '1'],
  ['INTEGER', '1.5'],
  ['INTEGER', '"1"'],
  ['FLOAT', '"one"'],
  ['NUMERIC', '"one"'],
  ['BOOLEAN', '"true"'],
  ['JSON', '{"a":1}'],
  ['JSON', '"{"'],
  ['DATE', '"tomorrow"'],
  ['TIME', '5'],
  ['GEOGRAPHY', '"POINT(0 0)"'],
])('a column of %s does not take %s', (type, json) => {
  expect(() => jsonRow(`{"c":${json}}`, oneColumn(type), false)).toThrow(`the value of c does not fit ${type}`);
});

test('records and lists are read by their columns; a name may differ in case', () => {
  const columns = columnsOf([
    { name: 'List', type: 'INTEGER', mode: 'REPEATED' },
    { name: 'place', type: 'STRUCT', fields: [{ name: 'lat', type: 'FLOAT', mode: 'REQUIRED' }] },
  ]);
  expect(jsonRow('{"list":[1,2],"place":{"lat":1}}', columns, false)).toEqual({ List: ['1', '2'], place: { lat: 1 } });
  expect(() => jsonRow('{"list":1}', columns, false)).toThrow('the value of List does not fit REPEATED INTEGER');
  expect(() => jsonRow('{"place":{}}', columns, false)).toThrow('the required column lat has no value');
  expect(() => jsonRow('{"place":{"lat":1,"lon":2}}', columns, false)).toThrow('the table has no column lon');
  expect(jsonRow('{"place":{"lat":1,"lon":2}}', columns, true)).toEqual({ place: { lat: 1 } });
  expect(() => jsonRow('[]', columns, false)).toThrow('the message is no JSON object');
  expect(() => jsonRow('x', columns, false)).toThrow('data is no JSON');
});

const record = (type: unknown): object => ({ type: 'record', name: 'R', fields: [{ name: 'c', type }] });

test.each([
  ['int', 'INTEGER', 1, 1],
  ['long', 'NUMERIC', 12, '12'],
  ['double', 'FLOAT64', 1.5, 1.5],
  ['bytes', 'BYTES', Buffer.from([0, 255]), 'AP8='],
  ['string', 'TIMESTAMP', '2024-01-01T00:00:00Z', '2024-01-01T00:00:00Z'],
  [['null', 'string'], 'STRING', null, null],
  [{ type: 'enum', name: 'E', symbols: ['A', 'B'] }, 'INTEGER', 'B', 1],
  [{ type: 'long', logicalType: 'timestamp-micros' }, 'TIMESTAMP', 1_500_000, '1970-01-01T00:00:01.500000Z'],
  [{ type: 'long', logicalType: 'timestamp-millis' }, 'TIMESTAMP', 1_500, '1970-01-01T00:00:01.500000Z'],
  [{ type: 'int', logicalType: 'date' }, 'DATE', 365, '1971-01-01'],
  [{ type: 'int', logicalType: 'time-millis' }, 'TIME', 3_661_500, '01:01:01.500000'],
  [{ type: 'long', logicalType: 'time-micros' }, 'TIME', 1, '00:00:00.000001'],
  [{ type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 }, 'NUMERIC', Buffer.from([0xff, 0x85]), '-1.23'],
])('Avro %o goes into %s', (type, column, value, expected) => {
  const columns = oneColumn(column);
  expect(avroFits(record(type), columns, false)).toBe(true);
  expect(avroValue(record(type), { c: value }, columns)).toEqual({ c: expected });
});

test('Avro lists, maps and records go into repeated columns and records', () => {
  const type = {
    type: 'record',
    name: 'R',
    fields: [
      { name: 'list', type: { type: 'array', items: 'int' } },
      { name: 'map', type: { type: 'map', values: 'string' } },
      { name: 'inner', type: ['null', { type: 'record', name: 'I', fields: [{ name: 'x', type: 'int' }] }] },
    ],
  };
  const pair = [
    { name: 'key', type: 'STRING' },
    { name: 'value', type: 'STRING' },
  ];
  const columns = columnsOf([
    { name: 'list', type: 'INTEGER', mode: 'REPEATED' },
    { name: 'map', type: 'RECORD', mode: 'REPEATED', fields: pair },
    { name: 'inner', type: 'RECORD', fields: [{ name: 'x', type: 'INTEGER' }] },
  ]);
  expect(avroFits(type, columns, false)).toBe(true);
  expect(avroValue(type, { list: [1], map: { a: 'b' }, inner: { x: 2 } }, columns)).toEqual({
    list: [1],
    map: [{ key: 'a', value: 'b' }],
    inner: { x: 2 },
  });
});

test.each<[string, unknown, string, string]>([
  ['a type of another kind', 'int', 'STRING', 'NULLABLE'],
  ['an optional field and a required column', ['null', 'int'], 'INTEGER', 'REQUIRED'],
  ['a union of two types', ['int', 'string'], 'STRING', 'NULLABLE'],
  ['a list and a single column', { type: 'array', items: 'int' }, 'INTEGER', 'NULLABLE'],
])('%s do not fit', (_, type, column, mode) => {
  expect(avroFits(record(type), oneColumn(column, mode), false)).toBe(false);
});

test('a field without a column fits only where it is dropped; a required column needs a field', () => {
  expect(avroFits(record('int'), columnsOf([]), false)).toBe(false);
  expect(avroFits(record('int'), columnsOf([]), true)).toBe(true);
  const more = columnsOf([
    { name: 'c', type: 'INTEGER' },
    { name: 'd', type: 'STRING', mode: 'REQUIRED' },
  ]);
  expect(avroFits(record('int'), more, false)).toBe(false);
});

test('a message in JSON has exactly the fields of its schema', () => {
  const codec = new AvroCodec(JSON.stringify(record(['null', 'long'])));
  const decode = (text: string) => codec.decode(Buffer.from(text), 'JSON');
  expect(decode('{"c":{"long":1}}')).toEqual({ c: 1 });
  expect(decode('{"c":null}')).toEqual({ c: null });
  for (const wrong of ['{}', '{"c":null,"d":1}', '{"c":1}', '{"c":{"long":"1"}}'])
    expect(() => decode(wrong), wrong).toThrow();
});

test('a message in binary keeps integers beyond 2^53', () => {
  for (const type of ['long', { type: 'long', logicalType: 'timestamp-micros' }]) {
    const codec = new AvroCodec(JSON.stringify(record(type)));
    // Zigzag varint of 2^53 + 1.
    const data = Buffer.from([0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20]);
    expect(codec.decode(data, 'BINARY')).toEqual({ c: 9_007_199_254_740_993n });
  }
});

test('a message of an older revision is read as one of a newer, with its default', () => {
  const older = new AvroCodec(JSON.stringify(record('int')));
  const fields = [
    { name: 'c', type: 'int' },
    { name: 'd', type: 'string', default: 'none' },
  ];
  const newer = new AvroCodec(JSON.stringify({ type: 'record', name: 'R', fields }));
  expect(newer.adopt({ c: 1 }, older)).toEqual({ c: 1, d: 'none' });
});
