import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { BUCKETS } from '../../local/buckets.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import type { CommitterResources } from '../../src/lakehouse/committer/index.ts';
import { contractUri, publishContract } from '../../src/lakehouse/contract-store.ts';
import { IcebergTable } from '../../src/lakehouse/iceberg/index.ts';
import { publishedContract, startBenchLake } from '../lake.ts';
import type { BenchLake } from '../lake.ts';
import { processCost } from '../meter/process-cost.ts';
import { runMain } from '../run-main.ts';
import { commitTable, lawText } from './report.ts';
import type { Measured } from './report.ts';
import { committerResources } from './resources.ts';
import { eventRow, publishRows } from './rows.ts';
import { runCommit } from './run-commit.ts';

const HELP = `Measures what the committer does to merge a batch into a table of 16 buckets: time, memory, bytes written per byte of delta.

  npm run bench:committer -- [options]

  --tables LIST   rows of the tables (default: 250000,1000000)
  --deltas LIST   rows of the batches, four fifths of them new versions of known keys (default: 50000,2000)
`;

const numbers = (list: string): number[] => list.split(',').map(Number);

/** Rows of a batch: new versions of keys all over the table, and every fifth a new key. */
function batchOf(contract: CompiledContract, tableRows: number, rows: number, round: number) {
  const step = Math.max(1, Math.floor(tableRows / rows));
  return Array.from({ length: rows }, (_, index) =>
    index % 5 === 4
      ? eventRow(contract, tableRows + round * 1_000_000 + index, 0)
      : eventRow(contract, (index * step + round) % tableRows, round),
  );
}

/** Bytes of the table's live data files. */
async function tableBytes({ catalog, store }: CommitterResources, { sink }: CompiledContract): Promise<number> {
  const table = await IcebergTable.load(catalog, store, sink.namespace, sink.table);
  const files = (await table?.dataFiles()) ?? [];
  return files.reduce((sum, file) => sum + file.file_size_in_bytes, 0);
}

async function fill(lake: BenchLake, uri: string, rows: number, directory: string): Promise<void> {
  const file = path.join(import.meta.dirname, 'fill.ts');
  const args = ['--disable-warning=ExperimentalWarning', file, uri, String(rows)];
  const logFile = path.join(directory, 'fill.log');
  await processCost('fill', { command: process.execPath, args, env: lake.env, logFile });
}

async function measureTable(lake: BenchLake, rows: number, deltas: number[], directory: string): Promise<Measured[]> {
  const { contract: base } = await publishedContract(lake, 'earthquakes');
  const contract = { ...base, sink: { ...base.sink, table: `events_${rows}` } };
  contract.hash = createHash('sha256').update(`${base.hash} ${rows}`).digest('hex');
  const uri = contractUri(BUCKETS.ops, contract.source, contract.hash);
  await publishContract(lake.store, BUCKETS.ops, contract);
  console.error(`bench: fills a table of ${rows} rows`);
  await fill(lake, uri, rows, directory);
  const resources = await committerResources();
  const all: Measured[] = [];
  for (const [index, deltaRows] of deltas.entries()) {
    const before = await tableBytes(resources, contract);
    const batch = await publishRows(lake, contract, `delta ${index}`, batchOf(contract, rows, deltaRows, index + 1));
    const { cost, done } = await runCommit(lake, uri, batch, directory);
    const { bytes: deltaBytes, groupBytesWritten: bytesWritten } = done;
    all.push({ tableRows: rows, tableBytes: before, deltaRows, deltaBytes, bytesWritten, cost });
    console.error(`bench: ${deltaRows} rows into ${rows}: ${cost.wallSeconds.toFixed(1)} s`);
  }
  return all;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      tables: { type: 'string', default: '250000,1000000' },
      deltas: { type: 'string', default: '50000,2000' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return void console.log(HELP);
  const directory = mkdtempSync(path.join(tmpdir(), 'cupel-bench-committer-'));
  const lake = await startBenchLake(directory, { catalog: true });
  Object.assign(process.env, lake.env);
  console.error(`bench: load ${loadavg()[0]?.toFixed(2)}; logs in ${directory}`);
  const all: Measured[] = [];
  for (const rows of numbers(values.tables))
    all.push(...(await measureTable(lake, rows, numbers(values.deltas), directory)));
  console.log(`${commitTable(all)}\n\n${lawText(all)}`);
  await lake.stop();
  rmSync(directory, { recursive: true, force: true });
}

await runMain(main);
