import type { ReasonCode } from '../reason-codes.ts';
import type { Row, Value } from '../row.ts';
import type { Column, CompiledContract, FieldRule } from '../types.ts';
import canonicalize from 'canonicalize';
import { millisToMicros, rfc3339ToMicros } from './times.ts';
import { unknownFieldsOf } from './unknown-fields.ts';
import type { UnknownField } from './unknown-fields.ts';
import type { RawRecord } from './unpack/index.ts';

/** What a record gets from the object that carried it. */
export interface RecordContext {
  /** Microseconds since 1970. Undefined: each record has its own. */
  carrierOrder: bigint | undefined;
  bronzeObject: string;
  /** Nominal hour of the object's folder, `YYYY-MM-DDTHH`. Only rows of a log need it. */
  hour?: string;
}

/**
 * A row, or why there is none; `detail` names the column or member and never holds a value of the payload. `unknown`: the members of
 * the record that the contract does not know, where it has any.
 */
export type Normalised = ({ row: Row } | { reject: { reasonCode: ReasonCode; detail: string } }) & {
  unknown?: readonly UnknownField[];
};

type Reject = { reasonCode: ReasonCode; expected: string };
type Converter = (value: unknown) => Value | Reject;
type Reader = (record: unknown) => unknown;

const wrongType = (expected: string): Reject => ({ reasonCode: 'wrong_type', expected });
const outOfRange = (expected: string): Reject => ({ reasonCode: 'out_of_range', expected });

function reader(path: string[]): Reader {
  return (record) => {
    let value: unknown = record;
    for (const part of path) {
      if (value === null || typeof value !== 'object' || !Object.hasOwn(value, part)) return undefined;
      value = (value as Record<string, unknown>)[part];
    }
    return value;
  };
}

/** Last segment of a URL's path, without query and fragment: `…/eventpage/ci41144664` gives `ci41144664`. */
function lastPathSegment(url: unknown): string | undefined {
  if (typeof url !== 'string') return undefined;
  const path = url.split(/[?#]/, 1)[0] ?? '';
  return path.slice(path.replace(/\/+$/, '').lastIndexOf('/') + 1).replace(/\/+$/, '') || undefined;
}

function reading(rule: FieldRule): Reader {
  const first = reader(rule.from);
  if (!rule.orLastPathSegmentOf) return first;
  const url = reader(rule.orLastPathSegmentOf);
  return (record) => {
    const value = first(record);
    return value === undefined || value === null || value === '' ? lastPathSegment(url(record)) : value;
  };
}

/** RFC 8785 has no form for a lone surrogate, which JSON can carry as an escape. */
function canonicalText(value: unknown): string | undefined {
  try {
    return canonicalize(value);
  } catch {
    return undefined;
  }
}

const CONVERTERS: Record<string, Converter> = {
  string: (value) => (typeof value === 'string' ? value : wrongType('a string')),
  double: (value) => {
    if (typeof value !== 'number') return wrongType('a number');
    return Number.isFinite(value) ? value : outOfRange('a finite number');
  },
  long: (value) => {
    if (typeof value !== 'number') return wrongType('an integer');
    return Number.isSafeInteger(value) ? value : outOfRange('a whole number within 2^53');
  },
  boolean: (value) => (typeof value === 'boolean' ? value : wrongType('a boolean')),
  'epoch-millis': (value) => {
    if (typeof value !== 'number') return wrongType('milliseconds since 1970');
    return millisToMicros(value) ?? outOfRange('whole milliseconds since 1970');
  },
  rfc3339: (value) => rfc3339ToMicros(value) ?? wrongType('a time as RFC 3339 has it'),
  'decimal-text': (value) => {
    if (typeof value !== 'string' || !/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(value.trim()))
      return wrongType('a decimal number');
    return Number.isFinite(Number(value)) ? Number(value) : outOfRange('a finite number');
  },
  'integer-text': (value) => {
    if (typeof value !== 'string' || !/^[+-]?\d+$/.test(value.trim())) return wrongType('an integer');
    return Number.isSafeInteger(Number(value)) ? Number(value) : outOfRange('a whole number within 2^53');
  },
  'boolean-text': (value) => {
    const text = typeof value === 'string' ? value.trim().toLowerCase() : '';
    return text === 'true' || text === 'false' ? text === 'true' : wrongType('true or false');
  },
  json: (value) => canonicalText(value) ?? wrongType('JSON that has an RFC 8785 form'),
  'lower-case': (value) => (typeof value === 'string' ? value.toLowerCase() : wrongType('a string')),
  'zero-one': (value) => (value === 0 || value === 1 ? value === 1 : wrongType('0 or 1')),
};

function converter(rule: FieldRule, column: Column): Converter {
  const found = CONVERTERS[rule.as === 'as-is' ? column.type : rule.as];
  return found ?? (() => wrongType(`a conversion to ${column.type}`));
}

interface FieldStep {
  column: Column;
  read: Reader;
  convert: Converter;
}

function steps(contract: CompiledContract): FieldStep[] {
  return contract.columns.map((column) => {
    const rule = contract.mapping.find((candidate) => candidate.column === column.name);
    if (!rule) throw new Error(`no mapping for column ${column.name}`); // compileContract has refused such a contract
    return { column, read: reading(rule), convert: converter(rule, column) };
  });
}

const isReject = (value: Value | Reject): value is Reject => typeof value === 'object' && value !== null;

/** The record's own order, the object's, or the row's column of that name. */
function carrierOrderOf(row: Row, record: RawRecord, contract: CompiledContract, context: RecordContext): Value {
  return record.carrierOrder ?? context.carrierOrder ?? row[contract.carrierOrder] ?? null;
}

function addSystemColumns(row: Row, record: RawRecord, contract: CompiledContract, context: RecordContext): void {
  const carrierOrder = carrierOrderOf(row, record, contract, context);
  row._carrier_order = carrierOrder;
  row._first_version = row[contract.versionField] ?? null;
  row._tombstone = false;
  row._rules_version = contract.rulesVersion;
  row._record_hash = ''; // taken once per surviving row, see Reducer
  row._record_id = record.recordId ?? `${context.bronzeObject}#${record.offset}`;
  row._bronze_object = context.bronzeObject;
  row._contract = contract.shadowOf ?? contract.hash;
  if (contract.sink.kind === 'append-log')
    row._hour = BigInt(Date.parse(`${record.hour ?? context.hour}:00:00Z`)) * 1000n;
}

type Refusal = { reject: { reasonCode: ReasonCode; detail: string } };

const refusal = (reject: Refusal['reject']): Refusal => ({ reject });

/** The contract's columns of a record. */
function readColumns(plan: FieldStep[], record: unknown): Row | Refusal {
  const row: Row = {};
  for (const { column, read, convert } of plan) {
    const raw = read(record);
    if (raw === undefined || raw === null) {
      if (column.required) return refusal({ reasonCode: 'missing_required', detail: column.name });
      row[column.name] = null;
      continue;
    }
    const value = convert(raw);
    if (isReject(value))
      return refusal({ reasonCode: value.reasonCode, detail: `${column.name}: expected ${value.expected}` });
    row[column.name] = value;
  }
  return row;
}

const isRefusal = (read: Row | Refusal): read is Refusal => typeof read.reject === 'object' && read.reject !== null;

/**
 * Makes the function that turns a record into a row by the contract's rules: pure, compiled once per contract.
 * What a record lacks is null; a required column without a value, or a value of another type, refuses the record, and so does a
 * member that the contract does not know where its policy is `discard_row`.
 */
export function normaliser(contract: CompiledContract): (record: RawRecord, context: RecordContext) => Normalised {
  const plan = steps(contract);
  const unknownFields = unknownFieldsOf(contract);
  return (record, context) => {
    if (record.malformed !== undefined) return refusal({ reasonCode: 'malformed_record', detail: record.malformed });
    if (record.value === null || typeof record.value !== 'object' || Array.isArray(record.value))
      return refusal({ reasonCode: 'not_an_object', detail: 'expected a JSON object' });
    const row = readColumns(plan, record.value);
    const fields = unknownFields(record.value);
    const unknown = fields.length ? { unknown: fields } : undefined;
    if (isRefusal(row)) return { ...row, ...unknown };
    if (fields[0] && contract.unknownFields === 'discard_row')
      return { ...refusal({ reasonCode: 'unknown_field', detail: fields[0].path.join('.') }), ...unknown };
    addSystemColumns(row, record, contract, context);
    return { row, ...unknown };
  };
}
