import { appendFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { spawnServer } from './process.ts';
import type { ServerCommand, ServerProcess } from './process.ts';

/** A server that is started again when it dies. */
export interface SupervisedServer {
  /** Process id of the one that runs now. */
  pid(): number;
  /** How often it was started again. */
  restarts(): number;
  /** Ends it for good. */
  stop(): Promise<void>;
}

/** What to start, and what to do when it was started again. */
export interface SupervisedCommand extends Omit<ServerCommand, 'signal'> {
  /** Called when it is ready again: for what it kept in memory only. Where it fails, the server is started once more. */
  onRestart?: () => Promise<void>;
}

/** Milliseconds before a server that died is started again: twice as long each time it dies within the longest. */
const BACK_OFF = { first: 200, longest: 5_000 };

/** Newest process of each server that this process started, by name; it may not be ready yet. */
const spawned = new Map<string, number>();

/** Servers that this process supervises, by name. */
const supervised = new Map<string, SupervisedServer>();

const listeners = new Set<() => void>();

/** The servers that are supervised now and the jobs that run, by name. */
export function supervisedServers(): Record<string, { pid: number; restarts: number }> {
  return Object.fromEntries(
    [...spawned].map(([name, pid]) => [name, { pid, restarts: supervised.get(name)?.restarts() ?? 0 }]),
  );
}

/** What a job is noted as, before its id. */
export const JOB_PREFIX = 'Dataflow job ';

/** Notes the process of a job, which nobody starts again; undefined: it has ended. */
export function noteJob(jobId: string, pid: number | undefined): void {
  const name = `${JOB_PREFIX}${jobId}`;
  if (pid === undefined) spawned.delete(name);
  else spawned.set(name, pid);
  told();
}

/** Calls the listener whenever a process of a server was started, and when it is ready again. */
export function onSupervision(listener: () => void): void {
  listeners.add(listener);
}

function told(): void {
  for (const listener of listeners) listener();
}

/** Starts a process of a server; whoever listens knows of it before it is ready. */
function spawnNoted(command: SupervisedCommand, signal?: AbortSignal): Promise<ServerProcess> {
  const note = (pid: number): void => {
    spawned.set(command.name, pid);
    told();
  };
  return spawnServer({ ...command, spawned: note, ...(signal ? { signal } : {}) });
}

/** Settles when the signal aborts: what hangs must not hold up a stop. */
function abortOf(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** One server, whichever process of it runs now. */
class Supervisor implements SupervisedServer {
  readonly #command: SupervisedCommand;
  readonly #stopped = new AbortController();
  readonly #watching: Promise<void>;
  #server: ServerProcess;
  #restarts = 0;

  constructor(command: SupervisedCommand, server: ServerProcess) {
    this.#command = command;
    this.#server = server;
    this.#watching = this.#watch();
  }

  pid(): number {
    return this.#server.pid;
  }

  restarts(): number {
    return this.#restarts;
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#server.stop();
    await this.#watching;
    if (supervised.get(this.#command.name) !== this) return;
    supervised.delete(this.#command.name);
    spawned.delete(this.#command.name);
    told();
  }

  #say(text: string): void {
    const line = `supervisor: ${new Date().toISOString()} ${this.#command.name} ${text}\n`;
    try {
      appendFileSync(this.#command.logFile, line);
    } catch {
      process.stderr.write(line); // a full disk must not end the supervision
    }
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopped;
    let wait = BACK_OFF.first;
    for (let began = Date.now(); ; began = Date.now()) {
      const how = await this.#server.ended;
      if (signal.aborted) return;
      if (Date.now() - began > BACK_OFF.longest) wait = BACK_OFF.first;
      this.#say(`ended with ${how}; it is started again in ${wait} ms`);
      do {
        await delay(wait, undefined, { signal }).catch(() => undefined);
        wait = Math.min(BACK_OFF.longest, wait * 2);
        if (signal.aborted) return;
      } while (!(await this.#again(signal)));
    }
  }

  /** Starts it once more; false where that failed. */
  async #again(signal: AbortSignal): Promise<boolean> {
    let server: ServerProcess | undefined;
    try {
      server = await spawnNoted(this.#command, signal);
      await Promise.race([this.#command.onRestart?.(), abortOf(signal)]);
    } catch (error) {
      await server?.stop();
      if (!signal.aborted) this.#say(`could not be started again: ${(error as Error).message}`);
      return false;
    }
    if (signal.aborted) await server.stop();
    this.#server = server;
    this.#restarts += 1;
    this.#say(`runs again, process ${server.pid}`);
    told();
    return true;
  }
}

/** Times that a server is started which does not become ready: some take further ports by themselves, and may lose the race for one. */
const FIRST_STARTS = 3;

/** Starts the first process of a server. */
async function firstStart(command: SupervisedCommand): Promise<ServerProcess> {
  for (let start = 1; ; start += 1) {
    try {
      return await spawnNoted(command);
    } catch (error) {
      if (start === FIRST_STARTS) throw error;
      process.stderr.write(
        `supervisor: ${(error as Error).message}\nsupervisor: ${command.name} is started once more\n`,
      );
    }
  }
}

/**
 * Starts a server, waits until it is ready, and starts it again, on the same ports and state, whenever it dies.
 *
 * @throws Error when it does not become ready at first
 */
export async function superviseServer(command: SupervisedCommand): Promise<SupervisedServer> {
  const server = new Supervisor(command, await firstStart(command));
  supervised.set(command.name, server);
  told();
  return server;
}
