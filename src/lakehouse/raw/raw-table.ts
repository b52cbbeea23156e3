import type { BigQuery } from '@google-cloud/bigquery';
import { BIGQUERY_TYPES } from '../../contracts/index.ts';
import type { CompiledContract } from '../../contracts/index.ts';
import { googleCode, googleError } from '../../gcp/errors.ts';

/** Dataset of Bronze in BigQuery. */
export const RAW_DATASET = 'raw';

/** A column of a table of Bronze in BigQuery. */
export interface RawColumn {
  name: string;
  type: string;
  mode: 'NULLABLE';
  description: string;
}

const column = (name: string, type: string, description: string): RawColumn => ({
  name,
  type,
  mode: 'NULLABLE',
  description,
});

/** What a BigQuery subscription with `write_metadata` writes beside the message. */
const METADATA = [
  column('subscription_name', 'STRING', 'Subscription that wrote the row'),
  column('message_id', 'STRING', "Pub/Sub's id; the same message may come more than once"),
  column('publish_time', 'TIMESTAMP', 'When Pub/Sub had the message'),
  column('attributes', 'JSON', 'record_id, carrier_order and what else the publisher set'),
];

/** Members of the message that the contract's mapping reads, by the type of their column. */
function messageColumns({ mapping, columns }: CompiledContract): RawColumn[] {
  return mapping.flatMap(({ column: name, from }) => {
    const [root, member, ...deeper] = from;
    const of = columns.find((candidate) => candidate.name === name);
    if (root !== 'data' || !member || deeper.length || !of) return [];
    return [column(member, BIGQUERY_TYPES[of.type], of.doc ?? '')];
  });
}

/** Columns of a source's table of Bronze in BigQuery; undefined where the contract has none. */
export function rawColumns(contract: CompiledContract): RawColumn[] | undefined {
  const { rawTable, rawColumns: kind } = contract.messaging ?? {};
  if (!rawTable) return undefined;
  if (kind === 'contract') return [...METADATA, ...messageColumns(contract)];
  return [...METADATA, column('data', 'JSON', 'The message as it was published')];
}

async function unlessThere(creation: Promise<unknown>, what: string): Promise<void> {
  try {
    await creation;
  } catch (error) {
    if (googleCode(error) !== 409) throw googleError('BigQuery', `create ${what}`, error);
  }
}

interface TableMetadata {
  schema?: { fields?: { name: string }[] };
}

/** Columns that a contract has got since are added; none is ever taken away, and none changes its type. */
async function addColumns(bigquery: BigQuery, name: string, fields: RawColumn[]): Promise<void> {
  const table = bigquery.dataset(RAW_DATASET).table(name);
  try {
    const [metadata] = (await table.getMetadata()) as unknown as [TableMetadata];
    const held = metadata.schema?.fields ?? [];
    const known = new Set(held.map((field) => field.name.toLowerCase()));
    const added = fields.filter((field) => !known.has(field.name.toLowerCase()));
    if (added.length) await table.setMetadata({ schema: { fields: [...held, ...added] } });
  } catch (error) {
    throw googleError('BigQuery', `columns of ${RAW_DATASET}.${name}`, error);
  }
}

/**
 * Makes a source's table of Bronze in BigQuery unless it is there, and adds the columns that it lacks: a BigQuery subscription needs
 * it before it can be made, and drops or refuses what has no column.
 *
 * @returns `<dataset>.<table>`; undefined where the contract has none
 */
export async function ensureRawTable(bigquery: BigQuery, contract: CompiledContract): Promise<string | undefined> {
  const fields = rawColumns(contract);
  const table = contract.messaging?.rawTable;
  if (!fields || !table) return undefined;
  await unlessThere(bigquery.createDataset(RAW_DATASET), RAW_DATASET);
  const timePartitioning = { type: 'DAY', field: 'publish_time' };
  const created = bigquery.dataset(RAW_DATASET).createTable(table, { schema: { fields }, timePartitioning });
  await unlessThere(created, `${RAW_DATASET}.${table}`);
  await addColumns(bigquery, table, fields);
  return `${RAW_DATASET}.${table}`;
}
