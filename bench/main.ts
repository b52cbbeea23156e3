import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Prepare } from './contender.ts';
import { measure } from './meter/measure.ts';
import type { MeasureOptions, Result } from './meter/measure.ts';
import { closeGroups } from './meter/process-group.ts';
import { emptyLedger } from './meter/step-ledger.ts';
import { HELP, readOptions } from './options.ts';
import type { BenchOptions, Peer } from './options.ts';
import { prepareAirflow } from './peers/airflow/run.ts';
import { prepareDagster } from './peers/dagster/run.ts';
import { preparePrefect } from './peers/prefect/run.ts';
import { Skipped } from './peers/venv.ts';
import { runMain } from './run-main.ts';
import { table } from './table.ts';
import { prepareCupel } from './temporal/run.ts';

const PEERS: Record<Peer, Prepare> = { airflow: prepareAirflow, dagster: prepareDagster, prefect: preparePrefect };

/** Longer than the longest time-out of each after which it would go on by itself: Airflow's are 300 s. */
const STALL_SECONDS: Record<Peer | 'cupel', number> = { cupel: 150, airflow: 330, dagster: 90, prefect: 90 };

/** What is run of one tool. */
interface Plan {
  name: Peer | 'cupel';
  prepare: Prepare;
  partitions: number;
}

type Run = Pick<MeasureOptions, 'kill'> & { stepMs: number };

/** Runs a tool from nothing, in a folder of its own; a failed run's folder stays, for its logs. */
async function runOnce(plan: Plan, options: BenchOptions, run: Run): Promise<Result> {
  const directory = mkdtempSync(path.join(tmpdir(), `cupel-bench-${plan.name}-`));
  chmodSync(directory, 0o755);
  const ledger = path.join(directory, 'steps.txt');
  emptyLedger(ledger);
  const { partitions } = plan;
  const settings = { partitions, concurrency: options.concurrency, stepMs: run.stepMs, directory, ledger };
  const doing = run.kill ? 'kill -9 half-way' : `steps of ${run.stepMs} ms`;
  console.error(`bench: ${plan.name}, ${partitions} partitions, ${doing}; logs in ${directory}`);
  const contender = await plan.prepare(settings).catch((error: unknown) => {
    if (error instanceof Skipped) rmSync(directory, { recursive: true, force: true });
    throw error;
  });
  const result = await measure(contender, settings, {
    kill: run.kill,
    capSeconds: 600,
    stallSeconds: STALL_SECONDS[plan.name],
  });
  mkdirSync(path.dirname(path.resolve(options.report)), { recursive: true });
  appendFileSync(options.report, `${JSON.stringify(result)}\n`);
  await contender.stop();
  if (!result.unfinished) rmSync(directory, { recursive: true, force: true });
  return result;
}

async function runPlan(plan: Plan, options: BenchOptions): Promise<Result[]> {
  const { stepMs } = options;
  const runs: Run[] = [{ stepMs: 0, kill: false }];
  if (options.kill) runs.push({ stepMs, kill: false }, { stepMs, kill: true });
  const results: Result[] = [];
  for (const run of runs) {
    try {
      results.push(await runOnce(plan, options, run));
    } catch (error) {
      await closeGroups();
      if (!(error instanceof Skipped)) throw error;
      console.error(`bench: ${plan.name} is skipped: ${error.message}`);
      break;
    }
  }
  return results;
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (!options) return void console.log(HELP);
  const plans: Plan[] = options.cupel ? [{ name: 'cupel', prepare: prepareCupel, partitions: options.partitions }] : [];
  for (const peer of options.peers)
    plans.push({ name: peer, prepare: PEERS[peer], partitions: options.peerPartitions });
  const results: Result[] = [];
  for (const plan of plans) results.push(...(await runPlan(plan, options)));
  if (results.length) console.log(table(results));
}

await runMain(main);
