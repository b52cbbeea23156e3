import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { PROJECT, toolPath } from '../../scripts/tools.ts';
import { exportTable } from '../../src/lakehouse/committer/index.ts';
import type { AsOf } from '../../src/lakehouse/committer/index.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import type { Lake } from './lake.ts';

async function python(script: string, args: string[]): Promise<string> {
  const run = promisify(execFile);
  const file = path.join(PROJECT, 'test/python', script);
  return (await run(toolPath('pyicebergPython'), [file, ...args], { maxBuffer: 64 << 20 })).stdout;
}

/** A table of Silver as PyIceberg reads it, in the form of an export. */
export function readWithPyIceberg(lake: Lake, table: string, snapshotId = '0'): Promise<string> {
  return python('read_silver.py', [lake.catalogUrl, lake.storageUrl, snapshotId, table]);
}

/** The same as DuckDB's iceberg extension reads it, through the catalog. */
export function readWithDuckDb(lake: Lake, table: string, snapshotId?: string): Promise<string> {
  const args = [lake.catalogUrl, new URL(lake.storageUrl).host, table];
  return python('read_duckdb.py', snapshotId ? [...args, snapshotId] : args);
}

/** Our own export, whole. */
export async function exportText(lake: Lake, contract: CompiledContract, asOf?: AsOf): Promise<string> {
  let text = '';
  for await (const part of exportTable(lake, contract, asOf)) text += part;
  return text;
}
