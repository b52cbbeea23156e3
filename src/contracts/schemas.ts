import type { Column, ColumnType, CompiledContract } from './types.ts';

const JSON_TYPES: Record<ColumnType, string> = {
  string: 'string',
  long: 'integer',
  int: 'integer',
  double: 'number',
  boolean: 'boolean',
  timestamptz: 'string',
  binary: 'string',
};

/** BigQuery's type of a column. */
export const BIGQUERY_TYPES: Record<ColumnType, string> = {
  string: 'STRING',
  long: 'INTEGER',
  int: 'INTEGER',
  double: 'FLOAT',
  boolean: 'BOOLEAN',
  timestamptz: 'TIMESTAMP',
  binary: 'BYTES',
};

function jsonProperty(column: Column): Record<string, unknown> {
  const type = JSON_TYPES[column.type];
  return {
    type: column.required ? type : [type, 'null'],
    ...(column.type === 'timestamptz' ? { format: 'date-time' } : {}),
    ...(column.doc ? { description: column.doc } : {}),
  };
}

/** JSON Schema (2020-12) of an exported row. */
export function jsonSchema(source: string, columns: Column[]): Record<string, unknown> {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: source,
    type: 'object',
    properties: Object.fromEntries(columns.map((column) => [column.name, jsonProperty(column)])),
    required: columns.map((column) => column.name),
    additionalProperties: false,
  };
}

/** BigQuery schema of a table. */
export function bigquerySchema(columns: Column[]): CompiledContract['bigquerySchema'] {
  return columns.map((column) => ({
    name: column.name,
    type: BIGQUERY_TYPES[column.type],
    mode: column.required ? 'REQUIRED' : 'NULLABLE',
  }));
}

/** Iceberg schema of a table; field ids count from 1. */
export function icebergSchema(columns: Column[]): CompiledContract['icebergSchema'] {
  const fields = columns.map((column, index) => ({
    id: index + 1,
    name: column.name,
    required: column.required,
    type: column.type,
    ...(column.doc ? { doc: column.doc } : {}),
  }));
  return { type: 'struct', 'schema-id': 0, fields };
}
