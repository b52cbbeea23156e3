import { normaliser, rfc3339ToMicros } from '../../contracts/index.ts';
import type { Column, CompiledContract, RawRecord, RecordContext, Row, Value } from '../../contracts/index.ts';
import { cupelError } from '../../errors.ts';

/** Which rows are asked for: values of columns, all of which a row must have. */
export type Selection = { column: Column; value: Exclude<Value, null> }[];

/** The id of a record, which every row has. */
const RECORD_ID: Column = { name: '_record_id', type: 'string', required: true };

/** Columns that a row may be asked for by: those of the key; of a log, whose key is the record id, any other one too. */
function askable(contract: CompiledContract): Column[] {
  if (contract.sink.kind === 'append-log') return [RECORD_ID, ...contract.columns];
  return contract.columns.filter(({ name }) => contract.key.includes(name));
}

function expectedForm(contract: CompiledContract): string {
  const columns = askable(contract).map(({ name, type }) => `${name} (${type})`);
  const forms = `the value alone, <column>=<value>[,<column>=<value>], or JSON {"<column>": <value>}`;
  return `${contract.key.join(' and ')} of ${contract.source}: ${forms}; columns: ${columns.join(', ')}`;
}

const invalid = (contract: CompiledContract, found: string): Error =>
  cupelError('CUP_KEY_INVALID', { found, expected: expectedForm(contract) });

const FROM_TEXT: Record<Column['type'], (text: string) => Exclude<Value, null> | undefined> = {
  string: (text) => text,
  binary: (text) => text,
  long: (text) => (/^[+-]?\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined),
  int: (text) => (/^[+-]?\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined),
  double: (text) => (text.trim() && Number.isFinite(Number(text)) ? Number(text) : undefined),
  boolean: (text) => (text === 'true' || text === 'false' ? text === 'true' : undefined),
  timestamptz: rfc3339ToMicros,
};

/** A member of a JSON key has the column's own type; a time is text there too. */
function textOf({ type }: Column, value: unknown): string | undefined {
  const asText = type === 'string' || type === 'timestamptz' || type === 'binary';
  if (asText) return typeof value === 'string' ? value : undefined;
  return typeof value === (type === 'boolean' ? 'boolean' : 'number') ? String(value) : undefined;
}

function select(contract: CompiledContract, given: [name: string, text: string | undefined][]): Selection {
  const columns = new Map(askable(contract).map((column) => [column.name, column]));
  const selection = given.map(([name, text]) => {
    const column = columns.get(name);
    if (!column) throw invalid(contract, `column ${name}`);
    const value = text === undefined || text === '' ? undefined : FROM_TEXT[column.type](text);
    if (value === undefined) throw invalid(contract, `no ${column.type} as ${name}`);
    return { column, value };
  });
  const names = new Set(selection.map(({ column }) => column.name));
  if (names.size !== selection.length || !names.size) throw invalid(contract, 'a column twice, or none');
  const missing = contract.key.filter((name) => !names.has(name));
  if (contract.sink.kind !== 'append-log' && missing.length) throw invalid(contract, `no ${missing.join(', ')}`);
  return selection;
}

function fromJson(contract: CompiledContract, text: string): Selection {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid(contract, 'text that begins with { and is no JSON');
  }
  const columns = new Map(askable(contract).map((column) => [column.name, column]));
  return select(
    contract,
    Object.entries(value as object).map(([name, member]) => [name, textOf(columns.get(name) ?? RECORD_ID, member)]),
  );
}

/** `a=…,b=…`: a comma parts only where a column's name and `=` follow it, so that values may hold commas. */
function fromPairs(contract: CompiledContract, text: string): Selection {
  const names = askable(contract).map(({ name }) => name);
  const parts = text.split(new RegExp(`,(?=(?:${names.join('|')})=)`));
  return select(
    contract,
    parts.map((part) => {
      const at = part.indexOf('=');
      return [part.slice(0, at), part.slice(at + 1)];
    }),
  );
}

/**
 * Reads the key that a person gave: the value alone where the key is one column, `<column>=<value>,…`, or a JSON object. Of a log, whose
 * key is the record id, every column may be asked for.
 *
 * @throws CupelError CUP_KEY_INVALID saying what is expected; it holds no value
 */
export function readKey(contract: CompiledContract, text: string): Selection {
  if (!text) throw invalid(contract, 'an empty key');
  if (text.startsWith('{')) return fromJson(contract, text);
  const isPair = askable(contract).some(({ name }) => text.startsWith(`${name}=`));
  if (isPair) return fromPairs(contract, text);
  const [only, ...more] = contract.key;
  if (only === undefined || more.length) throw invalid(contract, 'one value');
  return select(contract, [[only, text]]);
}

/** A row has what is asked for. */
export const isSelected = (selection: Selection, row: Row): boolean =>
  selection.every(({ column, value }) => row[column.name] === value);

/**
 * Makes the function that tells whether a record is asked for, by the contract's own rules for the columns of the selection and no
 * others: so a record that is refused for another column is found all the same. Undefined: its columns cannot be read.
 */
export function keyMatcher(
  contract: CompiledContract,
  selection: Selection,
): (record: RawRecord, context: RecordContext) => boolean | undefined {
  const wanted = new Set(selection.map(({ column }) => column.name));
  const columns = contract.columns.filter(({ name }) => wanted.has(name));
  const read = normaliser({ ...contract, columns, unknownFields: 'discard_value' });
  return (record, context) => {
    const { malformed: _malformed, ...readable } = record;
    const result = read(readable, context);
    return 'row' in result ? isSelected(selection, result.row) : undefined;
  };
}

/** Whether a text holds every value of the selection as a word of its own: all that can be said of what nobody can read. */
export function textMatcher(selection: Selection): (text: string) => boolean {
  const words = selection.map(({ value }) => {
    const escaped = String(value).replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
    return new RegExp(String.raw`(?<![\p{L}\p{N}_-])${escaped}(?![\p{L}\p{N}_-])`, 'u');
  });
  return (text) => words.every((word) => word.test(text));
}
