// Runs `node scripts/bootstrap.mjs FILE [arguments]`: makes sure that the npm packages of package-lock.json are installed,
// then runs FILE on Node 24. Plain JavaScript on purpose: it is the one file that an older system Node must understand.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const cache = path.join(process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'cupel');
const stamp = path.join(root, 'node_modules', '.cupel-installed');
const OLDEST_NODE = 20;
/** Type stripping without a warning came with 24.12: older ones only bootstrap. */
const RUNTIME_NODE = [24, 12];

function fail(message) {
  console.error(`cupel: ${message}`);
  process.exit(1);
}

function lockHash() {
  return createHash('sha256')
    .update(readFileSync(path.join(root, 'package-lock.json')))
    .digest('hex');
}

function installed() {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === lockHash();
}

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Two commands started at once: the second waits for the first, and takes over when the first has died. */
function acquire(lock) {
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const owner = Number(readFileSync(lock, 'utf8') || 0);
    if (owner && !alive(owner)) rmSync(lock, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
  }
}

function installPackages() {
  mkdirSync(cache, { recursive: true });
  const lock = path.join(cache, `npm-${createHash('sha256').update(root).digest('hex').slice(0, 12)}.lock`);
  acquire(lock);
  try {
    if (installed()) return;
    const started = Date.now();
    process.stderr.write('setup: npm packages (package-lock.json) ...\n');
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    const run = spawnSync(npm, ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (run.error) fail('npm is missing: install Node.js 20 or newer with npm');
    if (run.status !== 0) fail('npm ci failed: see the lines above; is a package registry reachable?');
    writeFileSync(stamp, lockHash());
    process.stderr.write(`setup: npm packages installed in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
  } finally {
    rmSync(lock, { force: true });
  }
}

function runtime() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major === RUNTIME_NODE[0] && minor >= RUNTIME_NODE[1]) return process.execPath;
  const bundled = path.join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
  if (existsSync(bundled)) return bundled;
  return fail(
    `Node ${RUNTIME_NODE.join('.')} or newer of major 24 is needed on ${process.platform}-${process.arch}: put it first on PATH`,
  );
}

if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE)
  fail(`Node ${OLDEST_NODE} or newer is needed, this is ${process.version}`);
const [file, ...args] = process.argv.slice(2);
if (!file) fail('usage: node scripts/bootstrap.mjs FILE [arguments]');
if (!installed()) installPackages();

const node = runtime();
const child = spawn(node, ['--disable-warning=ExperimentalWarning', path.resolve(root, file), ...args], {
  stdio: 'inherit',
  env: {
    ...process.env,
    PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH ?? ''}`,
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? path.join(cache, 'node-compile-cache'),
  },
});
// The terminal sends Ctrl-C to the whole group; a plain `kill` reaches only this process, so it is passed on.
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
process.on('SIGINT', () => {});
child.on('exit', (code, signal) => process.exit(signal ? 130 : (code ?? 1)));
