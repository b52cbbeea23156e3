import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { identityOf, runs } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { onSupervision, supervisedServers } from './supervise.ts';

/** A server of a cloud, in `<state>/servers.json`. */
export interface NotedServer extends ProcessIdentity {
  /** How often it was started again. */
  restarts: number;
}

/** Where a cloud says which servers it started: written before it is up, so that a killed start leaves it too. */
export const serversFile = (stateDirectory: string): string => path.join(stateDirectory, 'servers.json');

/** Servers of the cloud that runs, or last ran, on a state folder, by name. */
export function notedServers(stateDirectory: string): Record<string, NotedServer> {
  try {
    return JSON.parse(readFileSync(serversFile(stateDirectory), 'utf8')) as Record<string, NotedServer>;
  } catch {
    return {};
  }
}

/** Notes from now on which servers this process has started, and each restart also in its own log. */
export function noteServers(stateDirectory: string): void {
  const file = serversFile(stateDirectory);
  const known = new Map<string, number>();
  onSupervision(() => {
    const noted = Object.entries(supervisedServers()).map(([name, { pid, restarts }]): [string, NotedServer] => {
      if (restarts > (known.get(name) ?? 0))
        console.log(`${new Date().toISOString()} ${name} died and runs again: ${pid}`);
      known.set(name, restarts);
      return [name, { ...identityOf(pid), restarts }];
    });
    writeFileSync(`${file}.part`, JSON.stringify(Object.fromEntries(noted), null, 2));
    renameSync(`${file}.part`, file);
  });
}

/** The watchdog of a cloud that was killed gives its servers three seconds; one that outlives this is ended here. */
const PATIENCE_MS = 6_000;

/** Waits for the servers of a cloud that was killed: two of a kind must not share state. */
export async function afterTheLastOne(stateDirectory: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (const server of Object.values(notedServers(stateDirectory))) {
    while (runs(server)) {
      if (Date.now() > deadline) killGroup(server.pid);
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
