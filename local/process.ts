import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A server that runs as a child process. */
export interface ServerProcess {
  pid: number;
  /** Settles when it has ended, however that came. */
  ended: Promise<string>;
  /** Ends it: SIGTERM, and SIGKILL after five seconds. */
  stop(): Promise<void>;
}

/** What to start and how to see that it is ready. */
export interface ServerCommand {
  name: string;
  command: string;
  args: string[];
  env?: Record<string, string>;
  cwd?: string;
  /** Standard output and error go here. */
  logFile: string;
  /** Asked until it answers true; an error counts as false. */
  ready: () => Promise<boolean>;
  /** Milliseconds until a server that is not ready counts as failed. Default 60,000. */
  readyTimeoutMs?: number;
  /** Gives up the start. Default: nothing does. */
  signal?: AbortSignal;
  /** Told its process id as soon as it has one, long before it is ready. */
  spawned?: (pid: number) => void;
}

// Reads `add PID` and `del PID`; when its input ends, which is when we end, however we end, it kills what is left.
const WATCHDOG = `list=
while read -r op pid; do
  case $op in
    add) list="$list $pid";;
    del) kept=; for one in $list; do [ "$one" = "$pid" ] || kept="$kept $one"; done; list=$kept;;
  esac
done
for one in $list; do kill -TERM "-$one" 2>/dev/null; done
[ -z "$list" ] || sleep 3
for one in $list; do kill -KILL "-$one" 2>/dev/null; done`;

let watchdog: ChildProcess | undefined;

function tellWatchdog(line: string): void {
  if (!watchdog) {
    watchdog = spawn('sh', ['-c', WATCHDOG], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    watchdog.unref();
    (watchdog.stdin as unknown as { unref(): void }).unref();
  }
  watchdog.stdin?.write(`${line}\n`);
}

/** The process that ends what is left when we are killed; undefined before the first child. */
export const watchdogPid = (): number | undefined => watchdog?.pid;

/** Makes a child in its own process group die with this process, also after a crash of ours. */
export function dieWithUs(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) return;
  tellWatchdog(`add ${pid}`);
  child.once('exit', () => tellWatchdog(`del ${pid}`));
}

/** Signals a child's whole process group; one that has ended is no error. */
export function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  signalGroup(child, 'SIGTERM');
  const force = setTimeout(() => signalGroup(child, 'SIGKILL'), 5_000);
  await ended;
  clearTimeout(force);
}

function tail(file: string): string {
  return readFileSync(file, 'utf8').split('\n').slice(-60).join('\n');
}

/**
 * Starts a server and waits until it is ready.
 *
 * @throws Error with the end of its log when it ends, or is not ready in time
 */
export async function spawnServer(server: ServerCommand): Promise<ServerProcess> {
  mkdirSync(path.dirname(server.logFile), { recursive: true });
  const log = openSync(server.logFile, 'a');
  const env = { ...process.env, ...server.env };
  const child = spawn(server.command, server.args, {
    cwd: server.cwd,
    env,
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  let failure: Error | undefined;
  child.once('error', (error) => (failure = error));
  child.once('exit', (code, signal) => (failure ??= new Error(`it ended with ${code ?? signal}`)));
  const ended = new Promise<string>((resolve) => child.once('exit', (code, signal) => resolve(String(code ?? signal))));
  // What it left running would hold its ports and files.
  child.once('exit', () => signalGroup(child, 'SIGKILL'));
  dieWithUs(child);
  if (child.pid !== undefined) server.spawned?.(child.pid);
  const deadline = Date.now() + (server.readyTimeoutMs ?? 60_000);
  for (;;) {
    if (failure) throw new Error(`${server.name}: ${failure.message}; see ${server.logFile}\n${tail(server.logFile)}`);
    if (await server.ready().catch(() => false)) break;
    if (server.signal?.aborted || Date.now() > deadline) {
      await stopChild(child);
      throw new Error(`${server.name}: not ready in time; see ${server.logFile}\n${tail(server.logFile)}`);
    }
    await delay(50);
  }
  return { pid: child.pid ?? 0, ended, stop: () => stopChild(child) };
}

/** Whether an HTTP GET is answered with a status below 500. */
export async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await response.body?.cancel();
  return response.status < 500;
}
