import { parse } from 'csv-parse/sync';
import type { CompiledContract } from '../../types.ts';
import { decodeText, unreadable } from './types.ts';
import type { RawRecord, Unpacker } from './types.ts';

type Csv = Extract<CompiledContract['unpack'], { kind: 'csv' }>;

/** A line as it is, and its fields; none where they cannot be told apart. */
interface Line {
  raw: string;
  fields?: string[];
}

/** Lines in order, the header first (RFC 4180). One that cannot be read costs itself only. */
function readLines(contract: CompiledContract, bytes: Uint8Array, bronzeObject: string): Line[] {
  const { delimiter = ',', encoding } = contract.unpack as Csv;
  const lines: Line[] = [];
  const text = decodeText(bytes, bronzeObject, encoding);
  parse(text, {
    bom: true,
    delimiter,
    raw: true,
    relax_column_count: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    on_record: (line: unknown) => {
      const { raw, record } = line as { raw: string; record: string[] };
      lines.push({ raw, fields: record });
      return null; // we keep them ourselves, in one order with those that were skipped
    },
    on_skip: (_error, raw) => void lines.push({ raw: raw ?? '' }),
  });
  return lines;
}

function headerOf(contract: CompiledContract, first: Line | undefined, bronzeObject: string): string[] {
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

function toRecord(header: string[], { fields }: Line, offset: number): RawRecord {
  if (fields?.length !== header.length)
    return { offset, value: null, malformed: `expected ${header.length} fields, found ${fields?.length ?? 'none'}` };
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
