import type { CompiledContract } from '../../src/contracts/index.ts';
import { downloadDataFiles } from '../../src/lakehouse/committer/download-data-files.ts';
import { readParquet, Scratch } from '../../src/lakehouse/committer/scratch.ts';
import { IcebergTable } from '../../src/lakehouse/iceberg/index.ts';
import type { Lake } from './lake.ts';

async function rowsWithout(lake: Lake, { sink, key }: CompiledContract, columns: string[]): Promise<string[]> {
  if (sink.kind !== 'iceberg') throw new Error('expected a table');
  const table = await IcebergTable.load(lake.catalog, lake.store, sink.namespace, sink.table);
  if (!table) return [];
  const files = await table.dataFiles(table.current);
  const rows: string[] = [];
  await Scratch.use(lake.store, async (scratch) => {
    const local = await downloadDataFiles(scratch, table.schema, files);
    const left = `* exclude (${[...columns, '_file'].join()})`;
    const relation = `select ${left} from ${readParquet(table.schema.fields, local)} order by ${key.join()}`;
    for await (const part of scratch.stream(`select (to_json(t))::varchar from (${relation}) t`))
      rows.push(...part.map(([row]) => String(row)));
  });
  return rows;
}

/** Every row of a table with all its columns but the contract that made it, as JSON, in order of key. */
export const tableRows = (lake: Lake, contract: CompiledContract): Promise<string[]> =>
  rowsWithout(lake, contract, ['_contract']);

/** The same without any provenance: what the Kappa law decides. */
export const lawRows = (lake: Lake, contract: CompiledContract): Promise<string[]> =>
  rowsWithout(lake, contract, ['_contract', '_record_id', '_bronze_object']);
