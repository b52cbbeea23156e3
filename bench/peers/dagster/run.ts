import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Contender, RunSettings } from '../../contender.ts';
import { ProcessGroup } from '../../meter/process-group.ts';
import { copyDefinitions, countRows, days, peerVariables, readSqlite, statesText, until } from '../support.ts';
import { pythonEnvironment } from '../venv.ts';

// `dequeue_interval_seconds` is 5 by default, which would cap the rate.
const instance = (concurrency: number): string => `telemetry: {enabled: false}
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config:
    max_concurrent_runs: ${concurrency}
    dequeue_interval_seconds: 1
    dequeue_use_threads: true
    dequeue_num_workers: 4
`;

const ENDED = `SELECT count(*) AS runs FROM runs WHERE status IN ('SUCCESS', 'FAILURE', 'CANCELED')`;
const STATES = 'SELECT status AS state, count(*) AS runs FROM runs GROUP BY 1';
const HEARTBEATS = 'SELECT count(*) AS rows FROM daemon_heartbeats';

/** Rows of Dagster's databases: one of runs, and one of events per run. */
function rowsIn(home: string): number {
  const history = path.join(home, 'history');
  const files = readdirSync(history, { recursive: true }).map(String);
  return files
    .filter((name) => name.endsWith('.db'))
    .reduce((sum, name) => sum + countRows(path.join(history, name)), 0);
}

/** Dagster: the daemon with its run queue, and a process per partition; all on SQLite. */
export async function prepareDagster(settings: RunSettings): Promise<Contender> {
  const environment = await pythonEnvironment('dagster');
  const home = path.join(settings.directory, 'home');
  mkdirSync(home);
  writeFileSync(path.join(home, 'dagster.yaml'), instance(settings.concurrency));
  const env = { ...peerVariables(settings, environment), DAGSTER_HOME: home, DAGSTER_DISABLE_TELEMETRY: 'yes' };
  const definitions = copyDefinitions('dagster', 'definitions.py', settings);
  const daemon = new ProcessGroup('dagster-daemon');
  const command = new ProcessGroup('dagster-submit');
  const start = (group: ProcessGroup, name: string, args: string[]): ChildProcess =>
    group.spawn({
      command: path.join(environment, 'bin', name),
      args,
      env,
      cwd: home,
      logFile: path.join(settings.directory, `${group.name}.log`),
    });
  const run = (): unknown => start(daemon, 'dagster-daemon', ['run', '-f', definitions]);
  run();
  const schedules = path.join(home, 'schedules', 'schedules.db');
  const runs = path.join(home, 'history', 'runs.db');
  await until('the Dagster daemon', () =>
    [schedules, runs].some((file) => Number(readSqlite(file, HEARTBEATS)[0]?.rows) > 0),
  );
  await delay(5_000); // its code server loads the definitions
  const before = rowsIn(home);
  const { from, to } = days(settings.partitions);
  const range = ['--from', from, '--to', to, '--noprompt'];
  return {
    tool: 'Dagster 1.13.27',
    variant: 'daemon with run queue, a process per run; SQLite',
    groups: [daemon, command],
    aside: [],
    submit: () => void start(command, 'dagster', ['job', 'backfill', '-f', definitions, '-j', 'medallion', ...range]),
    finished: () => Number(readSqlite(runs, ENDED)[0]?.runs ?? 0) >= settings.partitions,
    executing: daemon,
    restart: () => void run(),
    stored: async () => ({
      rows: rowsIn(home) - before,
      runs: statesText(readSqlite(runs, STATES)),
    }),
    stop: async () => {
      for (const group of [command, daemon]) await group.close();
    },
  };
}
