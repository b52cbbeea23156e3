import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { PROJECT } from '../../scripts/tools.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import type { Chunk, Manifest } from '../../src/lakehouse/deltas/index.ts';
import { toChunk } from '../../src/lakehouse/planning/chunks.ts';
import type { BenchLake } from '../lake.ts';
import { processCost } from '../meter/process-cost.ts';
import type { ProcessCost } from '../meter/process-cost.ts';
import type { KappaInput } from './input.ts';

/** What a run of the job is made of. */
export interface CupelRun {
  lake: BenchLake;
  contract: CompiledContract;
  contractUri: string;
  input: KappaInput;
  /** Folder of logs and profiles. */
  directory: string;
}

/** What a run of the job took and published. */
export interface CupelResult {
  cost: ProcessCost;
  chunk: Chunk;
  manifest: Manifest;
}

/**
 * Runs the Kappa job as a launcher does, by its own entry: objects of Bronze become deltas and a manifest.
 *
 * @param name of the run; each is a batch of its own, since a batch that is published has nothing to do
 * @param profile whether Node's profiler writes a CPU profile per thread into a folder of the run's name
 */
export async function runCupel(run: CupelRun, name: string, profile = false): Promise<CupelResult> {
  const { lake, contract, input, directory } = run;
  const chunk = toChunk(contract, input.objects, input.objects, name);
  await lake.deltas.writeChunk(chunk);
  const profiles = path.join(directory, name);
  if (profile) mkdirSync(profiles);
  const cost = await processCost(
    'cupel',
    {
      command: process.execPath,
      args: [
        ...(profile ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`] : []),
        path.join(PROJECT, 'beam/main.ts'),
        `--chunk=${lake.deltas.chunkUri(chunk.batchId)}`,
        `--contract=${run.contractUri}`,
      ],
      env: lake.env,
      logFile: path.join(directory, 'cupel.log'),
    },
    [lake.standIns],
  );
  const manifest = await lake.deltas.readManifest(chunk.table, chunk.batchId);
  if (!manifest) throw new Error(`the job published nothing: see ${directory}/cupel.log`);
  return { cost, chunk, manifest };
}
