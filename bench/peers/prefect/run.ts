import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import { freePort } from '../../../local/ports.ts';
import { answers } from '../../../local/process.ts';
import type { Contender, RunSettings } from '../../contender.ts';
import { ProcessGroup } from '../../meter/process-group.ts';
import { copyDefinitions, countRows, peerVariables, readSqlite, statesText, until } from '../support.ts';
import { pythonEnvironment } from '../venv.ts';

const ENDED = `SELECT count(*) AS runs FROM flow_run WHERE state_type IN ('COMPLETED', 'FAILED', 'CRASHED')`;
const STATES = 'SELECT state_name AS state, count(*) AS runs FROM flow_run GROUP BY 1';
const DEPLOYMENTS = 'SELECT count(*) AS rows FROM deployment';

function variables(settings: RunSettings, environment: string, port: number): Record<string, string> {
  return {
    ...peerVariables(settings, environment),
    PREFECT_HOME: path.join(settings.directory, 'home'),
    PREFECT_API_URL: `http://127.0.0.1:${port}/api`,
    PREFECT_SERVER_ANALYTICS_ENABLED: 'false',
    PREFECT_LOGGING_LEVEL: 'WARNING',
    // Its own default, 10 s, would be all that is measured.
    PREFECT_RUNNER_POLL_FREQUENCY: '2',
    PREFECT_RUNNER_SERVER_ENABLE: 'false',
  };
}

/** Prefect: its server on SQLite, and `serve` with a limit, which runs a process per flow run. */
export async function preparePrefect(settings: RunSettings): Promise<Contender> {
  const environment = await pythonEnvironment('prefect');
  const port = await freePort();
  const env = variables(settings, environment, port);
  const flow = copyDefinitions('prefect', 'medallion.py', settings);
  const database = path.join(settings.directory, 'home', 'prefect.db');
  const [server, runner, command] = ['server', 'runner', 'submit'].map((name) => new ProcessGroup(`prefect-${name}`));
  if (!server || !runner || !command) throw new Error('no groups');
  const start = (group: ProcessGroup, name: string, args: string[]): ChildProcess =>
    group.spawn({
      command: path.join(environment, 'bin', name),
      args,
      env,
      cwd: settings.directory,
      logFile: path.join(settings.directory, `${group.name}.log`),
    });
  const serve = (): unknown => start(runner, 'python', [flow, 'serve', String(settings.concurrency)]);
  start(server, 'prefect', ['server', 'start', '--host', '127.0.0.1', '--port', String(port), '--no-ui']);
  await until('the Prefect server', () => answers(`http://127.0.0.1:${port}/api/health`));
  serve();
  await until('the Prefect runner', () => Number(readSqlite(database, DEPLOYMENTS)[0]?.rows) > 0);
  const before = countRows(database);
  return {
    tool: 'Prefect 3.8.8',
    variant: 'serve, a process per run; SQLite',
    groups: [server, runner, command],
    aside: [],
    submit: () => void start(command, 'python', [flow, 'submit', String(settings.partitions)]),
    finished: () => Number(readSqlite(database, ENDED)[0]?.runs ?? 0) >= settings.partitions,
    executing: runner,
    restart: () => void serve(),
    stored: async () => ({
      rows: countRows(database) - before,
      runs: statesText(readSqlite(database, STATES)),
    }),
    stop: async () => {
      for (const group of [command, runner, server]) await group.close();
    },
  };
}
