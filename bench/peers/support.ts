import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunSettings } from '../contender.ts';

/** Waits until something is so; an error counts as not yet. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, timeoutMs = 90_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      if (await isSo()) return;
    } catch {
      // Not yet.
    }
    if (Date.now() > deadline) throw new Error(`${what}: not so after ${timeoutMs / 1000} s`);
    await delay(300);
  }
}

/** What the steps need to know, and the peer's own commands first on PATH. */
export function peerVariables(settings: RunSettings, environment: string): Record<string, string> {
  return {
    BENCH_LEDGER: settings.ledger,
    BENCH_STEP_MS: String(settings.stepMs),
    BENCH_CONCURRENCY: String(settings.concurrency),
    PYTHONPATH: settings.directory,
    PATH: `${path.join(environment, 'bin')}${path.delimiter}${process.env.PATH ?? ''}`,
    DO_NOT_TRACK: '1',
  };
}

/** Copies the steps and a peer's definitions into the run's folder: Python leaves its bytecode there, not in the tree. */
export function copyDefinitions(peer: string, definitions: string, settings: RunSettings): string {
  copyFileSync(path.join(import.meta.dirname, 'steps.py'), path.join(settings.directory, 'steps.py'));
  const copy = path.join(settings.directory, definitions);
  copyFileSync(path.join(import.meta.dirname, peer, definitions), copy);
  return copy;
}

/** Reads an SQLite file that another process writes; nothing where it is not there yet, or locked. */
export function readSqlite(file: string, sql: string): Record<string, unknown>[] {
  try {
    const database = new DatabaseSync(file, { readOnly: true });
    try {
      return database.prepare(sql).all();
    } finally {
      database.close();
    }
  } catch {
    return [];
  }
}

/** Rows of all tables of an SQLite file. */
export function countRows(file: string): number {
  const tables = readSqlite(file, `SELECT name FROM sqlite_master WHERE type = 'table'`);
  return tables.reduce((sum, { name }) => {
    const [row] = readSqlite(file, `SELECT count(*) AS rows FROM "${String(name)}"`);
    return sum + Number(row?.rows ?? 0);
  }, 0);
}

/** `state=count` of everything that a peer says about its runs, for the reader of a result. */
export function statesText(rows: Record<string, unknown>[]): string {
  return rows.map(({ state, runs }) => `${String(state)}=${String(runs)}`).join(' ');
}

/** First and last day of so many daily partitions. */
export function days(partitions: number): { from: string; to: string } {
  const first = Date.UTC(2024, 0, 1);
  const day = (number: number): string => new Date(first + number * 86_400_000).toISOString().slice(0, 10);
  return { from: day(0), to: day(partitions - 1) };
}
