import { LineCounter, parseDocument } from 'yaml';
import { cupelError } from '../errors.ts';
import { COLUMN_TYPES, disagreements } from './agreements.ts';
import { canonicalHash } from './canonical.ts';
import { readCustomProperties } from './custom-properties.ts';
import type { CustomProperties } from './custom-properties.ts';
import { checkOdcs } from './odcs/check.ts';
import type { OdcsContract, OdcsProperty } from './odcs/check.ts';
import { bigquerySchema, icebergSchema, jsonSchema } from './schemas.ts';
import { systemColumns } from './types.ts';
import type { Column, CompiledContract } from './types.ts';

function toColumn(property: OdcsProperty): Column {
  const type = COLUMN_TYPES[property.logicalType ?? ''] ?? 'string';
  const doc = property.description ? { doc: property.description } : {};
  return { name: property.name, type, required: property.required === true || property.primaryKey === true, ...doc };
}

/** Parts of names and addresses are made of it: of objects, topics, workflows, and of where webhooks are posted. */
const ID = /^[a-z0-9][a-z0-9_.]{0,99}$/;

const idFaults = ({ id }: OdcsContract): string[] =>
  ID.test(id) ? [] : ['id: expected a name of lower-case letters, digits, _ and .'];

/** A compiled contract without what follows from the rest of it. */
type ContractParts = Omit<CompiledContract, 'jsonSchema' | 'bigquerySchema' | 'icebergSchema' | 'hash'>;

/** Adds to the parts of a contract what follows from them: its schemas and its hash, whatever they were before. */
export function assembleContract(parts: ContractParts): CompiledContract {
  const { source, columns } = parts;
  const all = [...columns, ...systemColumns(parts)];
  const compiled = {
    ...parts,
    jsonSchema: jsonSchema(source, columns),
    bigquerySchema: bigquerySchema(all),
    icebergSchema: icebergSchema(all),
  };
  const { hash: _before, ...hashed } = compiled as typeof compiled & { hash?: string };
  return { ...hashed, hash: canonicalHash(hashed) };
}

function assemble(odcs: OdcsContract, custom: CustomProperties, columns: Column[], key: string[]): CompiledContract {
  return assembleContract({ source: odcs.id, version: odcs.version, columns, key, ...custom });
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
  const found = [...idFaults(odcs), ...disagreements(columns, key, custom, properties)];
  if (found.length) throw invalid(path, found);
  return assemble(odcs, custom, columns, custom.sink.kind === 'append-log' ? ['_record_id'] : key);
}

function invalid(path: string, faults: string[]): Error {
  return cupelError('CUP_CONTRACT_INVALID', { file: path, faults: `\n  ${faults.join('\n  ')}` });
}
