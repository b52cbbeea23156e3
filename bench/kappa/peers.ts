import { globSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { BUCKETS } from '../../local/buckets.ts';
import { processCost } from '../meter/process-cost.ts';
import type { ProcessCost } from '../meter/process-cost.ts';
import { pythonEnvironment } from '../peers/venv.ts';
import type { CupelRun } from './cupel.ts';
import type { FilesJob } from './job.ts';

/** What works on the same files. */
export const FILE_CONTENDERS = ['loop', 'duckdb', 'beam-python'] as const;
export type FileContender = (typeof FILE_CONTENDERS)[number];

/** Titles for the table. */
export const TITLES: Record<FileContender | 'cupel', string> = {
  cupel: 'Cupel, Beam on direct',
  loop: 'bare loop, one thread',
  duckdb: 'DuckDB SQL',
  'beam-python': 'Beam Python 2.77, direct',
};

async function commandOf(name: FileContender): Promise<string[]> {
  if (name !== 'beam-python')
    return [process.execPath, '--disable-warning=ExperimentalWarning', path.join(import.meta.dirname, `${name}.ts`)];
  const directory = await pythonEnvironment('beam-python', path.join(import.meta.dirname, 'beam-python'));
  return [path.join(directory, 'bin/python'), '-B', path.join(import.meta.dirname, 'beam-python/kappa.py')];
}

function writeJob({ lake, contract, input, directory }: CupelRun, output: string): string {
  rmSync(output, { recursive: true, force: true });
  mkdirSync(output, { recursive: true });
  const job: FilesJob = {
    objects: input.objects.map(({ name }) => ({ name, file: lake.fileOf(`gs://${BUCKETS.bronze}/${name}`) })),
    output,
    buckets: contract.sink.bucketCount,
    contract: contract.hash,
    rulesVersion: contract.rulesVersion,
  };
  const file = path.join(directory, 'job.json');
  writeFileSync(file, JSON.stringify(job));
  return file;
}

/** Runs a contender on the files that Bronze's objects are; returns what it took and the Parquet files that it wrote. */
export async function runPeer(run: CupelRun, name: FileContender): Promise<{ cost: ProcessCost; files: string[] }> {
  const [command = '', ...args] = await commandOf(name);
  const output = path.join(run.directory, `${name}-output`);
  const job = writeJob(run, output);
  const logFile = path.join(run.directory, `${name}.log`);
  const cost = await processCost(name, { command, args: [...args, job], logFile });
  return { cost, files: globSync(path.join(output, '**/*.parquet')) };
}
