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

const shape = (fields: readonly { name: string; type: string }[]): string =>
  fields.map(({ name, type }) => `${name} ${type}`).join(', ');

/**
 * Gives a table the columns that its contract has more, nullable, and loosens those that the contract requires no more.
 *
 * @throws CupelError CUP_TABLE_SCHEMA when the table cannot become what the contract says without a rebuild
 */
export async function evolveTable(contract: CompiledContract, table: IcebergTable): Promise<void> {
  const wanted = new Map(contract.icebergSchema.fields.map((field) => [field.name, field]));
  const held = new Map(table.schema.fields.map((field) => [field.name, field]));
  const add = [...wanted.values()].filter(({ name }) => !held.has(name));
  const unlike = [...held.values()].some(({ name, type }) => wanted.get(name)?.type !== type);
  if (unlike || add.some(({ required }) => required))
    throw cupelError('CUP_TABLE_SCHEMA', {
      table: `${table.namespace}.${table.name}`,
      expected: shape(contract.icebergSchema.fields),
      found: shape(table.schema.fields),
    });
  const loosen = [...held.values()].filter(({ name, required }) => required && !wanted.get(name)?.required);
  if (!add.length && !loosen.length) return;
  await table.changeColumns({
    add: add.map(({ name, type, doc }) => ({ name, type, ...(doc ? { doc } : {}) })),
    loosen: new Set(loosen.map(({ name }) => name)),
  });
}

/**
 * The Iceberg table of a contract, made where there is none, partitioned by `bucket(N, key)`, and with the columns that the contract
 * has by now.
 *
 * @throws CupelError CUP_TABLE_SCHEMA when a table of that name has columns that only a rebuild could change; CUP_COMMIT_CONFLICT,
 *   CUP_COMMIT_UNKNOWN
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
  await evolveTable(contract, table);
  return table;
}
