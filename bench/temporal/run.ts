import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { startTemporal } from '../../local/temporal/start.ts';
import { workflowBundle } from '../../local/workflow-bundle.ts';
import { ensureTools } from '../../scripts/tools.ts';
import type { Contender, RunSettings } from '../contender.ts';
import { ProcessGroup } from '../meter/process-group.ts';
import { until } from '../peers/support.ts';
import { COMMON, NAMESPACE } from './setting.ts';

/** Events of every history: a run that continued as new has one per run. */
async function histories(address: string): Promise<Record<string, number | string>> {
  const connection = await Connection.connect({ address });
  const client = new Client({ connection, namespace: NAMESPACE });
  const lengths: number[] = [];
  const states = new Map<string, number>();
  for await (const { workflowId, runId, type, status } of client.workflow.list()) {
    const { historyLength } = await client.workflow.getHandle(workflowId, runId).describe();
    lengths.push(historyLength);
    const state = `${type} ${status.name}`;
    states.set(state, (states.get(state) ?? 0) + 1);
  }
  await connection.close();
  return {
    events: lengths.reduce((sum, length) => sum + length, 0),
    'longest history': Math.max(0, ...lengths),
    runs: [...states].map(([state, runs]) => `${state}=${runs}`).join(' '),
  };
}

/** Cupel: its own workflows on Temporal's development server with a file database, its worker in a process of its own. */
export async function prepareCupel(settings: RunSettings): Promise<Contender> {
  const { directory, partitions, concurrency } = settings;
  await ensureTools(['temporal', 'fakeGcs', 'bigqueryPython']);
  const bundle = await workflowBundle();
  const server = new ProcessGroup('temporal-server');
  const worker = new ProcessGroup('cupel-worker');
  const command = new ProcessGroup('cupel-submit');
  const standIns = new ProcessGroup('stand-ins');
  let env: Record<string, string> = {};
  const start = (group: ProcessGroup, file: string, args: (string | number)[] = []): ChildProcess =>
    group.spawn({
      command: process.execPath,
      args: ['--disable-warning=ExperimentalWarning', path.join(import.meta.dirname, file), ...args.map(String)],
      env,
      logFile: path.join(directory, `${group.name}.log`),
    });
  start(standIns, 'stand-ins.ts', [directory, partitions]);
  const temporal = await server.enclose(() =>
    startTemporal({ stateDirectory: directory, logDirectory: directory, namespace: NAMESPACE }),
  );
  const environmentFile = path.join(directory, 'environment.json');
  await until('Cloud Storage and BigQuery', () => {
    env = { ...COMMON, ...(JSON.parse(readFileSync(environmentFile, 'utf8')) as Record<string, string>) };
    return true;
  });
  Object.assign(env, {
    TEMPORAL_ADDRESS: temporal.address,
    CUPEL_WORKFLOW_BUNDLE: bundle,
    BENCH_LEDGER: settings.ledger,
    BENCH_STEP_MS: String(settings.stepMs),
  });
  const work = (): unknown => start(worker, 'worker.ts');
  work();
  await until('the worker', () => readFileSync(path.join(directory, `${worker.name}.log`), 'utf8').includes('ready'));
  let submitted: ChildProcess | undefined;
  return {
    tool: 'Cupel',
    variant: 'Temporal development server, SQLite file',
    groups: [server, worker, command],
    aside: [standIns],
    submit: () => void (submitted = start(command, 'submit.ts', [partitions, concurrency])),
    finished() {
      if (submitted?.exitCode) throw new Error(`the backfill failed: see ${directory}`);
      return submitted?.exitCode === 0;
    },
    executing: worker,
    restart: () => void work(),
    stored: () => histories(temporal.address),
    stop: async () => {
      await temporal.stop(); // first, or its supervisor would start it again
      for (const group of [command, worker, server, standIns]) await group.close();
    },
  };
}
