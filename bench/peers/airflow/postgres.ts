import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from '../../../local/ports.ts';
import type { ProcessGroup } from '../../meter/process-group.ts';
import { until } from '../support.ts';
import { Skipped } from '../venv.ts';

const DEBIAN = '/usr/lib/postgresql';

/** A PostgreSQL server of this run alone. */
export interface Postgres {
  /** `user@host:port/database`, for a connection string. */
  address: string;
  /** The values of the first row; none where the query fails. */
  query(sql: string): string[];
  /** Removes its data; the group ends the server. */
  remove(): void;
}

/** Folder of PostgreSQL's programs; Debian keeps them off PATH. */
function programs(): string {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort().reverse() : [];
  const folders = [
    ...versions.map((version) => path.join(DEBIAN, version, 'bin')),
    ...(process.env.PATH ?? '').split(':'),
  ];
  const found = folders.find(
    (folder) => existsSync(path.join(folder, 'initdb')) && existsSync(path.join(folder, 'postgres')),
  );
  if (!found) throw new Skipped('PostgreSQL (initdb, postgres) is not there, and Airflow on SQLite locks itself out');
  return found;
}

/** PostgreSQL refuses to run as root: there it runs as the user that its package made. */
function unprivileged(command: string, args: string[]): { command: string; args: string[] } {
  if (process.getuid?.() !== 0) return { command, args };
  return { command: 'setpriv', args: ['--reuid=postgres', '--regid=postgres', '--clear-groups', command, ...args] };
}

function runOrSkip(command: string, args: string[]): void {
  const ran = spawnSync(command, args, { encoding: 'utf8', cwd: tmpdir() });
  if (ran.status !== 0) throw new Skipped(`${command}: ${ran.error?.message ?? ran.stderr}`);
}

/** Starts PostgreSQL with its own defaults, fsync included. */
export async function startPostgres(group: ProcessGroup, logFile: string): Promise<Postgres> {
  const bin = programs();
  const parent = mkdtempSync(path.join(tmpdir(), 'cupel-bench-postgres-'));
  chmodSync(parent, 0o777);
  const data = path.join(parent, 'data');
  const initdb = unprivileged(path.join(bin, 'initdb'), ['-D', data, '-U', 'bench', '-A', 'trust']);
  runOrSkip(initdb.command, initdb.args);
  const port = String(await freePort());
  const where = ['-h', '127.0.0.1', '-p', port, '-U', 'bench'];
  const server = unprivileged(path.join(bin, 'postgres'), ['-D', data, '-p', port, '-k', parent, '-h', '127.0.0.1']);
  group.spawn({ ...server, cwd: parent, logFile });
  await until('PostgreSQL', () => spawnSync(path.join(bin, 'pg_isready'), where).status === 0);
  runOrSkip(path.join(bin, 'createdb'), [...where, 'airflow']);
  return {
    address: `bench@127.0.0.1:${port}/airflow`,
    query(sql) {
      const answer = spawnSync(path.join(bin, 'psql'), [...where, 'airflow', '-Atc', sql], { encoding: 'utf8' });
      return answer.status === 0 ? answer.stdout.trim().split('|') : [];
    },
    remove: () => rmSync(parent, { recursive: true, force: true }),
  };
}
