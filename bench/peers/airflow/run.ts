import type { ChildProcess } from 'node:child_process';
import { mkdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../../local/ports.ts';
import { answers } from '../../../local/process.ts';
import type { Contender, RunSettings } from '../../contender.ts';
import { ProcessGroup } from '../../meter/process-group.ts';
import { copyDefinitions, days, peerVariables, until } from '../support.ts';
import { pythonEnvironment } from '../venv.ts';
import { startPostgres } from './postgres.ts';

const ENDED = `select count(*) from dag_run where run_type = 'backfill' and state in ('success', 'failed')`;
const STATES = `select string_agg(s, ' ') from (select state || '=' || count(*) s from dag_run group by state) x`;
const ROWS = `select sum((xpath('/row/c/text()', query_to_xml(format('select count(*) c from %I.%I', schemaname, relname),
  false, true, '')))[1]::text::bigint) from pg_stat_user_tables where schemaname = 'public'`;

async function variables(settings: RunSettings, environment: string, api: number): Promise<Record<string, string>> {
  const [health, workerLog, triggerLog] = await Promise.all([freePort(), freePort(), freePort()]);
  return {
    ...peerVariables(settings, environment),
    AIRFLOW_HOME: path.join(settings.directory, 'home'),
    AIRFLOW__API__BASE_URL: `http://127.0.0.1:${api}`,
    AIRFLOW__API__PORT: String(api),
    AIRFLOW__API__WORKERS: '1',
    // Between its own processes on the loopback interface, for as long as the run lasts.
    AIRFLOW__API_AUTH__JWT_SECRET: 'benchmark-'.repeat(8),
    AIRFLOW__CORE__EXECUTION_API_SERVER_URL: `http://127.0.0.1:${api}/execution/`,
    AIRFLOW__CORE__EXECUTOR: 'LocalExecutor',
    AIRFLOW__CORE__LOAD_EXAMPLES: 'False',
    AIRFLOW__CORE__PARALLELISM: String(settings.concurrency),
    AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS: 'True',
    AIRFLOW__LOGGING__LOGGING_LEVEL: 'WARNING',
    AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT: String(triggerLog),
    AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT: String(workerLog),
    AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT: String(health),
  };
}

/** Airflow: API server, scheduler with LocalExecutor and DAG processor, on PostgreSQL. */
export async function prepareAirflow(settings: RunSettings): Promise<Contender> {
  const environment = await pythonEnvironment('airflow');
  const dags = path.join(settings.directory, 'home', 'dags');
  mkdirSync(dags, { recursive: true });
  renameSync(copyDefinitions('airflow', 'medallion.py', settings), path.join(dags, 'medallion.py'));
  const names = ['database', 'api', 'scheduler', 'processor', 'submit'] as const;
  const groups = names.map((name) => new ProcessGroup(`airflow-${name}`));
  const [database, api, scheduler, processor, command] = groups;
  if (!database || !api || !scheduler || !processor || !command) throw new Error('no groups');
  const logOf = (group: ProcessGroup): string => path.join(settings.directory, `${group.name}.log`);
  const postgres = await startPostgres(database, logOf(database));
  const port = await freePort();
  const env = {
    ...(await variables(settings, environment, port)),
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN: `postgresql+psycopg2://${postgres.address}`,
  };
  const start = (group: ProcessGroup, args: string[]): ChildProcess =>
    group.spawn({
      command: path.join(environment, 'bin', 'airflow'),
      args,
      env,
      cwd: settings.directory,
      logFile: logOf(group),
    });
  const migration = start(command, ['db', 'migrate']);
  await until('the migration of the database', () => migration.exitCode === 0);
  start(api, ['api-server', '--port', String(port), '--workers', '1']);
  await until('the API server', () => answers(`http://127.0.0.1:${port}/api/v2/monitor/health`));
  start(processor, ['dag-processor']);
  const schedule = (): unknown => start(scheduler, ['scheduler']);
  schedule();
  await until('the DAG', () => Number(postgres.query('select count(*) from serialized_dag')[0]) > 0);
  await delay(5_000); // its scheduler settles
  const rows = (): number => Number(postgres.query(ROWS)[0] ?? 0);
  const before = rows();
  const { from, to } = days(settings.partitions);
  const range = ['--from-date', from, '--to-date', to, '--max-active-runs', String(settings.concurrency)];
  return {
    tool: 'Airflow 3.3.2',
    variant: 'LocalExecutor, PostgreSQL',
    groups,
    aside: [],
    submit: () => void start(command, ['backfill', 'create', '--dag-id', 'medallion', ...range]),
    finished: async () => {
      await delay(400); // each look is a process
      return Number(postgres.query(ENDED)[0] ?? 0) >= settings.partitions;
    },
    executing: scheduler,
    restart: () => void schedule(),
    stored: async () => ({ rows: rows() - before, runs: postgres.query(STATES).join('|') }),
    stop: async () => {
      for (const group of [...groups].reverse()) await group.close();
      postgres.remove();
    },
  };
}
