import { execFile, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Report } from '../../local/demo/report.ts';
import type { CloudFile } from '../../local/cloud-file.ts';
import { PROJECT } from '../../scripts/tools.ts';

const run = promisify(execFile);

/** Demos in a folder: `polls` is their feed, `state` their cloud, `<name>.json` a report, `<name>/` the tables it exported. */
export class DemoFolder {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  inside(name: string): string {
    return path.join(this.directory, name);
  }

  /** Runs the demo as a person does, and returns its report. */
  async demo(name: string, ...more: string[]): Promise<Report> {
    const [polls, state] = [this.inside('polls'), this.inside('state')];
    const where = ['--report', this.inside(`${name}.json`), '--export', this.inside(name)];
    const args = ['--feed', polls, '--state', state, ...where, ...more];
    const child = spawn(process.execPath, [path.join(PROJECT, 'local/demo/main.ts'), ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const code = await new Promise((resolve) => child.once('exit', resolve));
    if (code !== 0) throw new Error(`the demo ended with ${String(code)}\n${errors}`);
    return JSON.parse(await readFile(this.inside(`${name}.json`), 'utf8')) as Report;
  }

  /** What the cloud that was kept says of itself. */
  async cloud(): Promise<CloudFile> {
    return JSON.parse(await readFile(this.inside('state/cloud.json'), 'utf8')) as CloudFile;
  }

  /** Runs the command line against the cloud that was kept. */
  async cupel(...args: string[]): Promise<string> {
    const { env } = await this.cloud();
    const main = path.join(PROJECT, 'src/starter/main.ts');
    const { stdout } = await run(process.execPath, [main, ...args], {
      env: { ...process.env, ...env },
      maxBuffer: 1 << 28,
    });
    return stdout;
  }

  /** Ends the cloud that was kept. */
  async down(): Promise<void> {
    await run(process.execPath, [path.join(PROJECT, 'local/cli.ts'), 'down', '--state', this.inside('state')]);
  }
}
