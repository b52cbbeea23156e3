import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { runs } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { cloudFile } from './cloud-file.ts';
import type { CloudFile } from './cloud-file.ts';

/** A cloud in a process of its own. */
export interface LaunchedCloud extends CloudFile {
  /** Lets it live on after this process. */
  keep(): void;
  stop(): Promise<void>;
}

/** The cloud that runs on a state folder; undefined where none does. */
export async function runningCloud(stateDirectory: string): Promise<CloudFile | undefined> {
  const text = await readFile(cloudFile(stateDirectory), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const found = JSON.parse(text) as CloudFile;
  return runs(found) ? found : undefined;
}

/** Stops a cloud and waits until its process is gone. */
export async function stopCloud(cloud: ProcessIdentity): Promise<void> {
  if (runs(cloud)) process.kill(cloud.pid, 'SIGTERM');
  while (runs(cloud)) await delay(50);
}

const START_TIMEOUT_MS = 180_000;

/**
 * Starts the cloud in a process of its own, which ends with this one unless it is kept.
 *
 * @param args flags of `serve.ts`
 * @throws Error with the end of its log
 */
export async function launchCloud(stateDirectory: string, args: string[] = []): Promise<LaunchedCloud> {
  const running = await runningCloud(stateDirectory);
  if (running)
    throw new Error(
      `a cloud runs on ${stateDirectory} already (process ${running.pid}): cupel local down --state ${stateDirectory}`,
    );
  const logFile = path.join(stateDirectory, 'logs', 'cloud.log');
  await mkdir(path.dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a');
  const serve = path.join(import.meta.dirname, 'serve.ts');
  const child = spawn(process.execPath, [serve, '--state', stateDirectory, ...args], {
    detached: true,
    stdio: ['pipe', log, log],
  });
  closeSync(log);
  let ended = false;
  child.once('exit', () => (ended = true));
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const found = await runningCloud(stateDirectory);
    if (found?.pid === child.pid) break;
    if (ended || Date.now() > deadline) {
      child.kill('SIGTERM');
      throw new Error(
        `the cloud did not start; see ${logFile}\n${readFileSync(logFile, 'utf8').split('\n').slice(-80).join('\n')}`,
      );
    }
    await delay(50);
  }
  const content = (await runningCloud(stateDirectory)) as CloudFile;
  return {
    ...content,
    keep() {
      child.stdin?.end('keep\n');
      child.unref();
    },
    stop: () => stopCloud(content),
  };
}
