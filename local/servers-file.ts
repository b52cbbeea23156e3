import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { watchdogPid } from './process.ts';
import { identityOf, runs } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { onSupervision, supervisedServers } from './supervise.ts';

/** A server of a cloud. */
export interface NotedServer extends ProcessIdentity {
  /** How often it was started again. */
  restarts: number;
}

/** `<state>/servers.json`. */
interface ServersFile {
  servers: Record<string, NotedServer>;
  /** Ends servers and jobs after a kill of the cloud. */
  watchdog?: ProcessIdentity;
}

/** Where a cloud says which processes it started: written before they are ready, so that a killed start leaves it too. */
export const serversFile = (stateDirectory: string): string => path.join(stateDirectory, 'servers.json');

function read(stateDirectory: string): ServersFile {
  try {
    return JSON.parse(readFileSync(serversFile(stateDirectory), 'utf8')) as ServersFile;
  } catch {
    return { servers: {} };
  }
}

/** Servers of the cloud that runs, or last ran, on a state folder, by name. */
export const notedServers = (stateDirectory: string): Record<string, NotedServer> => read(stateDirectory).servers;

function write(file: string, content: ServersFile): void {
  try {
    writeFileSync(`${file}.part`, JSON.stringify(content, null, 2));
    renameSync(`${file}.part`, file);
  } catch (error) {
    console.error(`${file} cannot be written: ${(error as Error).message}`); // no reason to end the servers
  }
}

/** Notes from now on which servers this process has started, and each restart also in its own log. */
export function noteServers(stateDirectory: string): void {
  const known = new Map<string, number>();
  onSupervision(() => {
    const servers = Object.entries(supervisedServers()).map(([name, { pid, restarts }]): [string, NotedServer] => {
      if (restarts > (known.get(name) ?? 0))
        console.log(`${new Date().toISOString()} ${name} died and runs again: ${pid}`);
      known.set(name, restarts);
      return [name, { ...identityOf(pid), restarts }];
    });
    const watchdog = watchdogPid();
    write(serversFile(stateDirectory), {
      servers: Object.fromEntries(servers),
      ...(watchdog === undefined ? {} : { watchdog: identityOf(watchdog) }),
    });
  });
}

/** The watchdog of a cloud that was killed gives its servers and jobs three seconds; what outlives this is ended here. */
const PATIENCE_MS = 6_000;

/** Waits for the processes of a cloud that was killed: two of a kind must not share state. */
export async function afterTheLastOne(stateDirectory: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  const { servers, watchdog } = read(stateDirectory);
  for (const old of [...(watchdog ? [watchdog] : []), ...Object.values(servers)]) {
    while (runs(old)) {
      if (Date.now() > deadline) killGroup(old.pid);
      await delay(50);
    }
  }
  rmSync(serversFile(stateDirectory), { force: true });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // it ended meanwhile
  }
}
