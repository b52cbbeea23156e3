import path from 'node:path';
import type { Done } from '../../src/lakehouse/deltas/index.ts';
import type { BenchLake } from '../lake.ts';
import { processCost } from '../meter/process-cost.ts';
import type { ProcessCost } from '../meter/process-cost.ts';

/** What a commit took, and its outcome. */
export interface CommitResult {
  cost: ProcessCost;
  done: Done;
}

/** Has the real committer merge and commit one batch, in a process of its own. */
export async function runCommit(
  lake: BenchLake,
  contractUri: string,
  batch: { table: string; batchId: string },
  directory: string,
): Promise<CommitResult> {
  const cost = await processCost(
    'committer',
    {
      command: process.execPath,
      args: [
        '--disable-warning=ExperimentalWarning',
        path.join(import.meta.dirname, 'commit.ts'),
        contractUri,
        batch.batchId,
      ],
      env: lake.env,
      logFile: path.join(directory, 'committer.log'),
    },
    [lake.standIns],
  );
  const done = await lake.deltas.readDone(batch.table, batch.batchId);
  if (done?.outcome !== 'committed') throw new Error(`the batch was not committed: see ${directory}/committer.log`);
  return { cost, done };
}
