import type { CompiledContract } from '../../contracts/index.ts';
import { cupelError } from '../../errors.ts';
import { IcebergTable } from '../iceberg/index.ts';
import type { RestCatalog } from '../iceberg/index.ts';
import type { ObjectStore } from '../object-store.ts';
import { partitionField } from './data-file.ts';

/** Partition field ids start at 1000 (Iceberg spec, "Partitioning"). */
const FIRST_PARTITION_FIELD = 1000;

/** Properties of a new table. Old metadata files are deleted by the catalog after each commit: BigLake refuses metadata over 1 MB, and they add up. */
export const TABLE_PROPERTIES = {
  'format-version': '2',
  'write.format.default': 'parquet',
  'write.metadata.delete-after-commit.enabled': 'true',
  'write.metadata.previous-versions-max': '20',
};

/** Full name of a contract's table, such as `silver.earthquakes`. */
export function tableName(contract: CompiledContract): string {
  return `${contract.sink.namespace}.${contract.sink.table}`;
}

function checkSchema(contract: CompiledContract, table: IcebergTable): void {
  const shape = (fields: { name: string; type: string }[]) =>
    fields.map(({ name, type }) => `${name} ${type}`).join(', ');
  const expected = shape(contract.icebergSchema.fields);
  const found = shape(table.schema.fields);
  if (expected !== found) throw cupelError('CUP_TABLE_SCHEMA', { table: tableName(contract), expected, found });
}

/**
 * The Iceberg table of a contract, made where there is none: partitioned by `bucket(N, key)`.
 *
 * @throws CupelError CUP_TABLE_SCHEMA when a table of that name has other columns
 */
export async function ensureSilverTable(
  catalog: RestCatalog,
  store: ObjectStore,
  contract: CompiledContract,
): Promise<IcebergTable> {
  const key = contract.key[0] ?? '';
  const source = contract.icebergSchema.fields.find((field) => field.name === key);
  const { namespace, table: name, bucketCount } = contract.sink;
  const metadata = await catalog.ensureTable(namespace, {
    name,
    schema: contract.icebergSchema,
    'partition-spec': {
      'spec-id': 0,
      fields: [
        {
          name: partitionField(key),
          transform: `bucket[${bucketCount}]`,
          'source-id': source?.id ?? 0,
          'field-id': FIRST_PARTITION_FIELD,
        },
      ],
    },
    properties: TABLE_PROPERTIES,
  });
  const table = new IcebergTable(catalog, store, namespace, name, metadata);
  checkSchema(contract, table);
  return table;
}
