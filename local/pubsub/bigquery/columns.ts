/** A column as BigQuery's API shows it. */
export interface FieldSchema {
  name?: string;
  type?: string;
  mode?: string;
  fields?: FieldSchema[];
}

/** A column, under one of the names that its type has. */
export interface Column {
  name: string;
  type: string;
  mode: 'NULLABLE' | 'REQUIRED' | 'REPEATED';
  fields: Columns;
}

/** Columns by lower-case name: BigQuery's names differ in more than case. */
export type Columns = Map<string, Column>;

/** Standard SQL's names of types, in legacy SQL's. */
const LEGACY: Record<string, string> = { INT64: 'INTEGER', FLOAT64: 'FLOAT', BOOL: 'BOOLEAN', STRUCT: 'RECORD' };

/** Reads a table's schema. */
export function columnsOf(fields: FieldSchema[]): Columns {
  return new Map(fields.map((field) => [(field.name ?? '').toLowerCase(), columnOf(field)]));
}

function columnOf({ name = '', type = '', mode = 'NULLABLE', fields = [] }: FieldSchema): Column {
  return { name, type: LEGACY[type] ?? type, mode: mode as Column['mode'], fields: columnsOf(fields) };
}
