import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { LineCounter, parseDocument } from 'yaml';
import { cupelError } from '../errors.ts';
import { readCustomProperties } from './custom-properties.ts';
import type { CustomProperties } from './custom-properties.ts';
import { checkOdcs } from './odcs/check.ts';
import type { OdcsContract, OdcsProperty } from './odcs/check.ts';
import { bigquerySchema, icebergSchema, jsonSchema } from './schemas.ts';
import type { Column, ColumnType, CompiledContract } from './types.ts';

const COLUMN_TYPES: Record<string, ColumnType> = {
  string: 'string',
  timestamp: 'timestamptz',
  number: 'double',
  integer: 'long',
  boolean: 'boolean',
};

function toColumn(property: OdcsProperty): Column {
  const type = COLUMN_TYPES[property.logicalType ?? ''] ?? 'string';
  const doc = property.description ? { doc: property.description } : {};
  return { name: property.name, type, required: property.required === true || property.primaryKey === true, ...doc };
}

function isTimeZone(name: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name }));
  } catch {
    return false;
  }
}

/** What ajv cannot see: that the parts of a contract agree with each other. */
function disagreements(
  columns: Column[],
  key: string[],
  custom: CustomProperties,
  properties: OdcsProperty[],
): string[] {
  const found: string[] = [];
  const names = new Set(columns.map((column) => column.name));
  for (const property of properties) {
    if (!COLUMN_TYPES[property.logicalType ?? '']) {
      found.push(`column ${property.name}: expected logicalType ${Object.keys(COLUMN_TYPES).join(', ')}`);
    }
    if (property.name.startsWith('_')) found.push(`column ${property.name}: names with _ are the system columns'`);
  }
  if (names.size !== columns.length) found.push('schema: expected every column name once');
  if (key.length !== 1) found.push('schema: expected exactly one property with primaryKey: true');
  const version = columns.find((column) => column.name === custom.versionField);
  if (version?.type !== 'timestamptz' || !version.required)
    found.push('versionField: expected a required timestamp column');
  const mapped = new Set(custom.mapping.map((rule) => rule.column));
  for (const { name, type } of columns) {
    const converts = custom.mapping.find((rule) => rule.column === name)?.as === 'epoch-millis';
    if (mapped.has(name) && converts !== (type === 'timestamptz')) {
      found.push(`mapping: expected as: epoch-millis for timestamps and for nothing else, see ${name}`);
    }
  }
  for (const name of names) if (!mapped.has(name)) found.push(`mapping: expected a rule for column ${name}`);
  for (const name of mapped) if (!names.has(name)) found.push(`mapping: ${name} is no column of the schema`);
  if (custom.timeZone && !isTimeZone(custom.timeZone))
    found.push('timeZone: expected an IANA zone such as Europe/Paris');
  for (const feed of custom.feeds) {
    const host = URL.canParse(feed.url) ? new URL(feed.url).hostname : '';
    if (!custom.hosts.includes(host)) found.push(`feeds: expected the host of ${feed.name} in hosts`);
  }
  return found;
}

/** SHA-256 in hex of the RFC 8785 form of a value. */
export function canonicalHash(value: unknown): string {
  return createHash('sha256')
    .update(canonicalize(value) ?? '')
    .digest('hex');
}

function assemble(odcs: OdcsContract, custom: CustomProperties, columns: Column[], key: string[]): CompiledContract {
  const compiled = {
    source: odcs.id,
    version: odcs.version,
    columns,
    key,
    ...custom,
    jsonSchema: jsonSchema(odcs.id, columns),
    bigquerySchema: bigquerySchema(columns),
    icebergSchema: icebergSchema(columns),
  };
  return { ...compiled, hash: canonicalHash(compiled) };
}

/**
 * Checks a contract and compiles it. Pure: the same text gives the same hash.
 *
 * @param text YAML of an ODCS v3.1 contract
 * @param path name of the file, for messages
 * @throws CupelError CUP_CONTRACT_INVALID naming every fault with its line
 */
export function compileContract(text: string, path: string): CompiledContract {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: true });
  if (document.errors.length)
    throw invalid(
      path,
      document.errors.map((error) => error.message),
    );
  const faults = checkOdcs(document, lines);
  if (faults.length) throw invalid(path, faults);
  const odcs = document.toJS() as OdcsContract;
  const { custom, faults: customFaults } = readCustomProperties(odcs, document, lines);
  if (!custom) throw invalid(path, customFaults);
  const properties = odcs.schema[0]?.properties ?? [];
  const columns = properties.map(toColumn);
  const key = properties.filter((property) => property.primaryKey).map((property) => property.name);
  const found = disagreements(columns, key, custom, properties);
  if (found.length) throw invalid(path, found);
  return assemble(odcs, custom, columns, key);
}

function invalid(path: string, faults: string[]): Error {
  return cupelError('CUP_CONTRACT_INVALID', { file: path, faults: `\n  ${faults.join('\n  ')}` });
}
