import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../local/ports.ts';
import { answers } from '../../local/process.ts';
import { beganAt, identityOf, runs } from '../../local/process-identity.ts';
import { afterTheLastOne, notedServers, noteServers, serversFile } from '../../local/servers-file.ts';
import { lockState } from '../../local/state-lock.ts';
import { superviseServer } from '../../local/supervise.ts';
import type { SupervisedCommand, SupervisedServer } from '../../local/supervise.ts';

/** Says its own process id to whoever asks. */
const SERVER = `require('node:http').createServer((_, answer) => answer.end(String(process.pid))).listen(process.env.PORT)`;

let directory: string;
let started: SupervisedServer[] = [];

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'cupel-supervise-'));
  noteServers(directory);
});
afterEach(async () => {
  await Promise.all(started.map((server) => server.stop()));
  started = [];
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const logOf = (name: string): Promise<string> => readFile(path.join(directory, `${name}.log`), 'utf8');

async function supervise(
  name: string,
  replace: Partial<SupervisedCommand> = {},
): Promise<{ url: string } & SupervisedServer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const server = await superviseServer({
    name,
    command: process.execPath,
    args: ['-e', SERVER],
    env: { PORT: String(port) },
    logFile: path.join(directory, `${name}.log`),
    ready: () => answers(url),
    ...replace,
  });
  started.push(server);
  return Object.assign(server, { url });
}

const pidAt = (url: string): Promise<number | undefined> =>
  fetch(url).then(
    async (answer) => Number(await answer.text()),
    () => undefined,
  );

const WITHIN = { timeout: 20_000, interval: 50 };

test('a server that is killed answers again at the same address, as another process', async () => {
  let told = 0;
  const server = await supervise('killed', {
    onRestart: () => {
      told += 1;
      return Promise.resolve();
    },
  });
  const first = server.pid();
  expect(await pidAt(server.url)).toBe(first);
  process.kill(first, 'SIGKILL');
  await expect.poll(() => server.restarts(), WITHIN).toBe(1);
  expect(server.pid()).not.toBe(first);
  expect(await pidAt(server.url)).toBe(server.pid());
  expect(told).toBe(1);
  expect(await logOf('killed')).toMatch(/supervisor: \S+ killed ended with SIGKILL; it is started again in 200 ms/);
});

test('where what it kept in memory cannot be given back, it is started once more', async () => {
  let attempts = 0;
  const server = await supervise('forgets', {
    onRestart: () => ((attempts += 1) === 1 ? Promise.reject(new Error('not yet')) : Promise.resolve()),
  });
  process.kill(server.pid(), 'SIGKILL');
  await expect.poll(() => attempts, WITHIN).toBe(2);
  await expect.poll(() => server.restarts(), WITHIN).toBe(1);
  expect(await pidAt(server.url)).toBe(server.pid());
  expect(await logOf('forgets')).toContain('could not be started again: not yet');
});

test('one that dies again at once is waited for longer each time', async () => {
  const server = await supervise('dies');
  for (const restarts of [1, 2, 3]) {
    process.kill(server.pid(), 'SIGKILL');
    await expect.poll(() => server.restarts(), WITHIN).toBe(restarts);
  }
  const waits = [...(await logOf('dies')).matchAll(/started again in (\d+) ms/g)].map(([, ms]) => Number(ms));
  expect(waits).toEqual([200, 400, 800]);
});

test('stopping it while it is being started again leaves no process', async () => {
  let begun = 0;
  let giveUp = false;
  const ready = async (): Promise<boolean> => {
    if (!giveUp) return true;
    begun += 1;
    return Promise.resolve(false);
  };
  const server = await supervise('stopped', { ready });
  await expect.poll(() => pidAt(server.url), WITHIN).toBe(server.pid());
  const first = server.pid();
  giveUp = true; // from now on it never gets ready
  process.kill(server.pid(), 'SIGKILL');
  await expect.poll(() => begun, WITHIN).toBeGreaterThan(1);
  const { stopped } = notedServers(directory); // noted before it is ready
  expect(stopped?.pid).not.toBe(first);
  await server.stop();
  expect(beganAt(stopped?.pid ?? 0)).toBeUndefined();
  expect(await pidAt(server.url)).toBeUndefined();
  expect(notedServers(directory).stopped).toBeUndefined();
});

test('a server that never gets ready fails the start with the end of its log', async () => {
  const never = supervise('never', {
    args: ['-e', 'console.error("no disk"); process.exitCode = 4'],
    readyTimeoutMs: 5_000,
  });
  await expect(never).rejects.toThrow(/never: it ended with 4[^]*no disk/);
});

test('one that lives and never gets ready fails the start too, and is ended', async () => {
  const never = supervise('mute', { ready: () => Promise.resolve(false), readyTimeoutMs: 500 });
  await expect(never).rejects.toThrow('mute: not ready in time');
  const pid = notedServers(directory).mute?.pid;
  expect(pid).toBeGreaterThan(0);
  expect(beganAt(pid ?? 0)).toBeUndefined();
});

test('the folder of a cloud says which servers run, and how often each died', async () => {
  const server = await supervise('noted');
  expect(notedServers(directory).noted).toEqual({ ...identityOf(server.pid()), restarts: 0 });
  process.kill(server.pid(), 'SIGKILL');
  await expect.poll(() => notedServers(directory).noted?.restarts, WITHIN).toBe(1);
  expect(notedServers(directory).noted).toMatchObject(identityOf(server.pid()));
  await expect(readFile(serversFile(directory), 'utf8')).resolves.toContain('"noted"');
});

test('a cloud on the folder of a killed one waits until its servers are gone, and ends one that will not go', async () => {
  const killed = path.join(directory, 'killed');
  await mkdir(killed);
  const old = spawn(process.execPath, ['-e', `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)`], {
    detached: true,
    stdio: 'ignore',
  });
  try {
    await once(old, 'spawn');
    const identity = identityOf(old.pid ?? 0);
    await writeFile(serversFile(killed), JSON.stringify({ servers: { old: { ...identity, restarts: 0 } } }));
    await afterTheLastOne(killed);
    expect(runs(identity)).toBe(false);
    expect(notedServers(killed)).toEqual({});
  } finally {
    old.kill('SIGKILL');
  }
}, 30_000);

test("a folder is one cloud's from its first server to its last one; a killed one's is taken over", async () => {
  const unlock = lockState(directory);
  expect(() => lockState(directory)).toThrow(/already \(process \d+\)/);
  unlock();
  await writeFile(
    path.join(directory, 'cloud.lock'),
    JSON.stringify({ pid: process.pid, began: 'before the restart' }),
  );
  lockState(directory)();
  await writeFile(path.join(directory, 'cloud.lock'), '{"pid":');
  lockState(directory)();
});
