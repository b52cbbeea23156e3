import type { CompiledContract } from '../../types.ts';
import { csvLines } from './csv-lines.ts';
import type { CsvLine } from './csv-lines.ts';
import { decodeText, unreadable } from './types.ts';
import type { RawRecord, Unpacker } from './types.ts';

type Csv = Extract<CompiledContract['unpack'], { kind: 'csv' }>;

/** Lines in order, the header first. */
function readLines(contract: CompiledContract, bytes: Uint8Array, bronzeObject: string): CsvLine[] {
  const { delimiter = ',', encoding } = contract.unpack as Csv;
  return csvLines(decodeText(bytes, bronzeObject, encoding), delimiter);
}

function headerOf(contract: CompiledContract, first: CsvLine | undefined, bronzeObject: string): string[] {
  const header = first?.fields?.map((name) => name.trim()) ?? [];
  if (!header.length) throw unreadable(bronzeObject, 'expected a header line');
  const twice = header.find((name, index) => header.indexOf(name) !== index);
  if (twice !== undefined) throw unreadable(bronzeObject, 'expected every name of the header once');
  const required = new Set(contract.columns.filter((column) => column.required).map((column) => column.name));
  for (const { column, from } of contract.mapping) {
    if (required.has(column) && !header.includes(from[0] ?? ''))
      throw unreadable(bronzeObject, `expected a column ${from[0] ?? ''} in the header`);
  }
  return header;
}

function toRecord(header: string[], { fields }: CsvLine, offset: number): RawRecord {
  if (!fields) return { offset, value: null, malformed: 'expected quotes around a whole field, and closed' };
  if (fields.length !== header.length)
    return { offset, value: null, malformed: `expected ${header.length} fields, found ${fields.length}` };
  // An empty field is no value: CSV knows no other null.
  return { offset, value: Object.fromEntries(header.map((name, index) => [name, fields[index] || null])) };
}

/**
 * A CSV file (RFC 4180) with a header line: each line is a record of texts by the header's names. Its carrier's order is a
 * column of the row, since a file says nothing of its own.
 */
export const csv: Unpacker = {
  carriedBy: ['file'],
  open(contract, bytes, bronzeObject) {
    const [first, ...lines] = readLines(contract, bytes, bronzeObject);
    const header = headerOf(contract, first, bronzeObject);
    return { records: lines.map((line, offset) => toRecord(header, line, offset)) };
  },
  rawRecord: (contract, bytes, offset) => Buffer.from(readLines(contract, bytes, 'file')[offset + 1]?.raw ?? ''),
};
