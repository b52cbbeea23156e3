import type { Column } from '../../contracts/index.ts';
import type { PartitionSpec, TableMetadata, TableSchema } from './types.ts';

/** Stands for what the same commit adds (Iceberg REST, set-current-schema and set-default-spec). */
export const LAST_ADDED = -1;

/** Partition field ids start at 1000 (Iceberg spec, "Partitioning"). */
const FIRST_PARTITION_FIELD = 1000;

/** Columns and partitions of a table. */
export interface Layout {
  schema: TableSchema;
  spec: PartitionSpec;
}

/** What a table is to be like. */
export interface WantedLayout {
  columns: readonly Column[];
  /** Column that rows are partitioned by. */
  partitionColumn: string;
  /** Name of the partition field, such as `id_bucket`. */
  partitionField: string;
  /** Such as `bucket[16]`. */
  transform: string;
}

type SchemaFields = TableSchema['fields'];

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

const next = (ids: readonly number[]): number => Math.max(-1, ...ids) + 1;

/** Columns of the same name and type keep their ids; all others get ids that none ever had. */
function schemaFields(metadata: TableMetadata, columns: readonly Column[]): SchemaFields {
  const current = metadata.schemas.find((schema) => schema['schema-id'] === metadata['current-schema-id']);
  let last = metadata['last-column-id'];
  return columns.map(({ name, type, required, doc }) => {
    const known = current?.fields.find((field) => field.name === name && field.type === type);
    return { id: known?.id ?? (last += 1), name, required, type, ...(doc ? { doc } : {}) };
  });
}

/**
 * The layout that a table gets for these columns and partitions. What the table has or once had is taken again under its id, as a
 * catalog would do too.
 */
export function layoutFor(metadata: TableMetadata, wanted: WantedLayout): Layout {
  const fields = schemaFields(metadata, wanted.columns);
  const schema = metadata.schemas.find((known) => same(shapeOf(known.fields), shapeOf(fields))) ?? {
    type: 'struct' as const,
    'schema-id': next(metadata.schemas.map((known) => known['schema-id'])),
    fields,
  };
  const source = fields.find(({ name }) => name === wanted.partitionColumn)?.id ?? 0;
  const specs = metadata['partition-specs'];
  const spec = specs.find(({ fields: [field, more] }) => {
    return field?.['source-id'] === source && field.transform === wanted.transform && !more;
  }) ?? {
    'spec-id': next(specs.map((known) => known['spec-id'])),
    fields: [
      {
        name: wanted.partitionField,
        transform: wanted.transform,
        'source-id': source,
        'field-id': lastPartitionId(metadata) + 1,
      },
    ],
  };
  return { schema, spec };
}

const shapeOf = (fields: SchemaFields): unknown =>
  fields.map(({ id, name, required, type, doc }) => [id, name, required, type, doc ?? '']);

const lastPartitionId = (metadata: TableMetadata): number =>
  metadata['last-partition-id'] ??
  Math.max(
    FIRST_PARTITION_FIELD - 1,
    ...metadata['partition-specs'].flatMap(({ fields }) => fields.map((field) => field['field-id'])),
  );

/** What a commit asks for and changes so that a table gets a layout. */
export function layoutCommit(
  metadata: TableMetadata,
  { schema, spec }: Layout,
): { requirements: object[]; updates: object[] } {
  const schemaId = schema['schema-id'];
  const specId = spec['spec-id'];
  const newSchema = !metadata.schemas.some((known) => known['schema-id'] === schemaId);
  const newSpec = !metadata['partition-specs'].some((known) => known['spec-id'] === specId);
  const lastColumn = Math.max(metadata['last-column-id'], ...schema.fields.map(({ id }) => id));
  return {
    requirements: [
      { type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] },
      { type: 'assert-default-spec-id', 'default-spec-id': metadata['default-spec-id'] },
      { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': metadata['last-column-id'] },
    ],
    updates: [
      ...(newSchema ? [{ action: 'add-schema', schema, 'last-column-id': lastColumn }] : []),
      { action: 'set-current-schema', 'schema-id': newSchema ? LAST_ADDED : schemaId },
      ...(newSpec ? [{ action: 'add-spec', spec }] : []),
      { action: 'set-default-spec', 'spec-id': newSpec ? LAST_ADDED : specId },
    ],
  };
}
