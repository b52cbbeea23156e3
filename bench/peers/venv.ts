import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cacheDirectory } from '../../scripts/tools.ts';

/** Why a peer is not measured here. It is no failure of the benchmark. */
export class Skipped extends Error {}

function run(command: string, args: string[], log: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const out = openSync(log, 'a');
    const child = spawn(command, args, { stdio: ['ignore', out, out] });
    closeSync(out);
    child.on('error', () => reject(new Skipped(`${command} is not there`)));
    child.on('exit', (code) =>
      code === 0 ? resolve() : reject(new Skipped(`pip could not install its packages: see ${log}`)),
    );
  });
}

/**
 * Folder of a peer's Python environment, made where there is none: below the cache folder, outside the tree.
 *
 * @param folder of its `requirements.txt`. Default: the one beside this file that has the peer's name
 * @throws Skipped where Python or a package cannot be had
 */
export async function pythonEnvironment(peer: string, folder = path.join(import.meta.dirname, peer)): Promise<string> {
  const requirements = path.join(folder, 'requirements.txt');
  const pins = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 16);
  const directory = path.join(cacheDirectory(), 'bench', `${peer}-${pins}`);
  const stamp = path.join(directory, '.installed');
  if (existsSync(stamp)) return directory;
  console.error(`bench: installs ${peer} (minutes) ...`);
  rmSync(directory, { recursive: true, force: true }); // what a killed install left
  mkdirSync(path.dirname(directory), { recursive: true });
  const log = `${directory}.log`;
  await run('python3', ['-m', 'venv', directory], log);
  const python = path.join(directory, 'bin/python');
  await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements], log);
  writeFileSync(stamp, peer);
  return directory;
}
