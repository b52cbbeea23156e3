import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, cpSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Folder of the project. */
export const PROJECT = path.dirname(import.meta.dirname);

/** Everything that set-up downloads or builds lives under this folder, outside the tree. */
export function cacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  return path.join(env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'cupel');
}

export type ToolName =
  | 'temporal'
  | 'fakeGcs'
  | 'bigqueryPython'
  | 'catalogJars'
  | 'testServer'
  | 'pyicebergPython'
  | 'sparkPython'
  | 'sparkJars'
  | 'prism'
  | 'flinkJars'
  | 'expansionJars'
  | 'beamBoot'
  | 'dataflowPython';

interface Tool {
  /** What a person reads while it installs. */
  title: string;
  version: string;
  /** Files of the project that pin the tool: a change of any makes a new folder. */
  pins: string[];
  /** Path of the result inside the tool's folder; '' is the folder. */
  result: string;
  /** Overrides the tool with one that is there already. */
  override: string;
  /** Commands that must be there, and how to get them. */
  needs: [command: string, hint: string][];
  install(directory: string, run: Run): Promise<void>;
}

type Run = (command: string, args: string[], options?: { cwd?: string; env?: Record<string, string> }) => Promise<void>;

const GO: [string, string] = ['go', 'Go 1.25 or newer: https://go.dev/dl'];
const PYTHON: [string, string] = ['python3', 'Python 3.11: https://www.python.org/downloads'];
const JAVA: [string, string] = ['javac', 'a JDK 17: https://adoptium.net'];
const MAVEN: [string, string] = ['mvn', 'Apache Maven 3: https://maven.apache.org'];

function goTool(
  title: string,
  version: string,
  folder: string,
  target: string,
  binary: string,
  override: string,
): Tool {
  return {
    title,
    version,
    pins: [`${folder}/go.mod`, `${folder}/go.sum`],
    result: binary,
    override,
    needs: [GO],
    install: (directory, run) =>
      run('go', ['build', '-mod=readonly', '-trimpath', '-ldflags=-s -w', '-o', path.join(directory, binary), target], {
        cwd: path.join(PROJECT, folder),
        env: { GOTOOLCHAIN: 'local', GOFLAGS: '' },
      }),
  };
}

function pythonTool(title: string, version: string, requirements: string, override: string): Tool {
  return {
    title,
    version,
    pins: [requirements],
    result: 'bin/python',
    override,
    needs: [PYTHON],
    async install(directory, run) {
      await run('python3', ['-m', 'venv', directory]);
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--require-hashes', '-r'];
      await run(path.join(directory, 'bin/python'), [...pip, path.join(PROJECT, requirements)]);
    },
  };
}

interface MavenTool {
  pins: [pom: string, ...others: string[]];
  result: string;
  override: string;
  finish(directory: string, run: Run): Promise<void>;
}

function mavenTool(title: string, version: string, { pins, result, override, finish }: MavenTool): Tool {
  return {
    title,
    version,
    pins,
    result,
    override,
    needs: [JAVA, MAVEN],
    async install(directory, run) {
      // Maven writes beside the pom: it works on a copy, so that the tree stays clean and two may run.
      mkdirSync(directory, { recursive: true });
      cpSync(path.join(PROJECT, pins[0]), path.join(directory, 'pom.xml'));
      const out = `-DoutputDirectory=${path.join(directory, 'lib')}`;
      await run('mvn', [
        '-q',
        '-B',
        '-f',
        path.join(directory, 'pom.xml'),
        'dependency:copy-dependencies',
        '-DincludeScope=runtime',
        out,
      ]);
      await finish(directory, run);
    },
  };
}

const TEST_SERVER_SCRIPT = `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$here/lib/*" io.temporal.testserver.TestServer "$@"
`;

function writeTestServerScript(directory: string): Promise<void> {
  return writeFile(path.join(directory, 'temporal-test-server'), TEST_SERVER_SCRIPT, { mode: 0o755 });
}

const CATALOG_SERVER = 'local/catalog/CatalogServer.java';
const EXPANSION_SERVER = 'test/prism/ExpansionServer.java';

/** Compiles a file of ours against the tool's jars. */
function compileJava(file: string): MavenTool['finish'] {
  return (directory, run) => {
    const paths = ['-cp', path.join(directory, 'lib/*'), '-d', path.join(directory, 'classes')];
    return run('javac', ['-nowarn', ...paths, path.join(PROJECT, file)]);
  };
}

const TOOLS: Record<ToolName, Tool> = {
  temporal: goTool(
    'Temporal CLI and server',
    '1.5.1',
    'local/tools/temporal',
    'github.com/temporalio/cli/cmd/temporal',
    'temporal',
    'CUPEL_TOOL_TEMPORAL',
  ),
  fakeGcs: goTool(
    'Cloud Storage server',
    'fake-gcs-server 1.56.1',
    'local/tools/fake-gcs-server',
    'github.com/fsouza/fake-gcs-server',
    'fake-gcs-server',
    'CUPEL_TOOL_FAKE_GCS',
  ),
  bigqueryPython: pythonTool(
    'BigQuery server',
    'bqemulator 1.4.0',
    'local/bigquery/requirements.txt',
    'CUPEL_TOOL_BIGQUERY_PYTHON',
  ),
  catalogJars: mavenTool('Iceberg REST catalog', 'Apache Iceberg 1.11.0', {
    pins: ['local/tools/catalog/pom.xml', CATALOG_SERVER],
    result: '',
    override: 'CUPEL_TOOL_CATALOG_JARS',
    finish: compileJava(CATALOG_SERVER),
  }),
  testServer: mavenTool('Temporal time-skipping test server', '1.38.0', {
    pins: ['local/tools/temporal-test-server/pom.xml'],
    result: 'temporal-test-server',
    override: 'CUPEL_TOOL_TEST_SERVER',
    finish: writeTestServerScript,
  }),
  pyicebergPython: pythonTool(
    'PyIceberg, the judge of the tables',
    'PyIceberg 0.12.0',
    'test/python/requirements.txt',
    'CUPEL_TOOL_PYICEBERG_PYTHON',
  ),
  sparkPython: pythonTool(
    'PySpark, only for npm run test:spark',
    'PySpark 4.0.1',
    'test/spark/requirements.txt',
    'CUPEL_TOOL_SPARK_PYTHON',
  ),
  sparkJars: mavenTool("Iceberg's runtime for Spark, only for npm run test:spark", 'Apache Iceberg 1.11.0', {
    pins: ['test/spark/pom.xml'],
    result: 'lib',
    override: 'CUPEL_TOOL_SPARK_JARS',
    finish: async () => {},
  }),
  prism: goTool(
    "Beam's runner Prism, only for npm run test:prism",
    'Apache Beam 2.77.0',
    'local/tools/prism',
    'github.com/apache/beam/sdks/v2/go/cmd/prism',
    'prism',
    'CUPEL_TOOL_PRISM',
  ),
  flinkJars: mavenTool("Beam's job server for Flink, only for npm run test:flink", 'Beam 2.62.0, Flink 1.19', {
    pins: ['local/tools/flink/pom.xml'],
    result: 'lib',
    override: 'CUPEL_TOOL_FLINK_JARS',
    finish: async () => {},
  }),
  beamBoot: goTool(
    "Beam's entry of a TypeScript worker's container, only for npm run test:dataflow",
    'Apache Beam 2.77.0',
    'local/tools/beam-boot',
    'github.com/apache/beam/sdks/v2/typescript/container',
    'boot',
    'CUPEL_TOOL_BEAM_BOOT',
  ),
  dataflowPython: pythonTool(
    "Beam's Dataflow job service, only for npm run test:dataflow",
    'Apache Beam 2.77.0',
    'beam/deploy/requirements.txt',
    'CUPEL_TOOL_DATAFLOW_PYTHON',
  ),
  expansionJars: mavenTool("Beam's Java expansion service, only for npm run test:prism", 'Apache Beam 2.65.0', {
    pins: ['test/prism/pom.xml', EXPANSION_SERVER],
    result: '',
    override: 'CUPEL_TOOL_EXPANSION_JARS',
    finish: compileJava(EXPANSION_SERVER),
  }),
};

/** What only `npm run test:spark` needs: set-up and the other tests go without. */
export const SPARK_TOOLS: ToolName[] = ['sparkPython', 'sparkJars'];

/** Tools of the tests that run only when they are named: set-up goes without. */
const OPT_IN_TOOLS: ToolName[] = [...SPARK_TOOLS, 'prism', 'flinkJars', 'expansionJars', 'beamBoot', 'dataflowPython'];

/** What `npm run demo` needs; `npm test` needs all. */
export const DEMO_TOOLS: ToolName[] = ['temporal', 'fakeGcs', 'bigqueryPython', 'catalogJars'];
export const ALL_TOOLS = (Object.keys(TOOLS) as ToolName[]).filter((name) => !OPT_IN_TOOLS.includes(name));

function toolDirectory(name: ToolName): string {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}`);
  for (const pin of TOOLS[name].pins) hash.update(readFileSync(path.join(PROJECT, pin)));
  return path.join(cacheDirectory(), 'tools', `${name}-${hash.digest('hex').slice(0, 16)}`);
}

let temporalOnPath: string | undefined | null = null;

/** A `temporal` on PATH is right from 1.5.1 on: older dev servers lack search attributes at start. */
function rightTemporalOnPath(): string | undefined {
  if (temporalOnPath !== null) return temporalOnPath;
  const shown = spawnSync('temporal', ['--version'], { encoding: 'utf8' });
  const version = /version (\d+)\.(\d+)\.(\d+)/.exec(shown.stdout ?? '');
  const [major = 0, minor = 0, patch = 0] = (version ?? []).slice(1).map(Number);
  temporalOnPath = major === 1 && (minor > 5 || (minor === 5 && patch >= 1)) ? 'temporal' : undefined;
  return temporalOnPath;
}

/** Where a tool is or will be. Pure but for a look at PATH for `temporal`. */
export function toolPath(name: ToolName): string {
  const tool = TOOLS[name];
  const given = process.env[tool.override];
  if (given) return given;
  if (name === 'temporal') {
    const found = rightTemporalOnPath();
    if (found) return found;
  }
  return path.join(toolDirectory(name), tool.result);
}

function ready(name: ToolName): boolean {
  if (process.env[TOOLS[name].override]) return true;
  if (name === 'temporal' && rightTemporalOnPath()) return true;
  return existsSync(path.join(toolDirectory(name), '.installed'));
}

function missingCommands(names: ToolName[]): string[] {
  const needs = new Map(names.flatMap((name) => TOOLS[name].needs));
  return [...needs]
    .filter(([command]) => spawnSync('sh', ['-c', `command -v ${command}`]).status !== 0)
    .map(([, hint]) => hint);
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function withLock(file: string, work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const owner = Number(readFileSync(file, 'utf8') || 0);
      if (owner && !alive(owner)) rmSync(file, { force: true });
      else await delay(300);
    }
  }
  try {
    await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function runner(log: string): Run {
  return (command, args, options = {}) =>
    new Promise((resolve, reject) => {
      const out = openSync(log, 'a');
      const env = { ...process.env, ...options.env };
      const child = spawn(command, args, { cwd: options.cwd, env, stdio: ['ignore', out, out] });
      closeSync(out);
      child.on('error', reject);
      child.on('exit', (code) =>
        code === 0 ? resolve() : reject(new Error(`${command} ended with ${code}: see ${log}`)),
      );
    });
}

async function install(name: ToolName, say: (line: string) => void): Promise<void> {
  const tool = TOOLS[name];
  const directory = toolDirectory(name);
  mkdirSync(path.dirname(directory), { recursive: true });
  await withLock(`${directory}.lock`, async () => {
    if (ready(name)) return;
    const started = Date.now();
    say(`setup: ${tool.title}, ${tool.version} ...`);
    rmSync(directory, { recursive: true, force: true }); // what a killed set-up left
    await tool.install(directory, runner(`${directory}.log`));
    // Last: a folder without this file was cut off half-way and is made anew.
    writeFileSync(path.join(directory, '.installed'), tool.version);
    say(`setup: ${tool.title}, ${tool.version}: ready in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  });
}

/**
 * Installs what is missing, side by side.
 *
 * @throws Error naming in one line each command that is missing and where to get it, or the log of an install that failed.
 */
export async function ensureTools(
  names: ToolName[] = ALL_TOOLS,
  say = (line: string) => console.error(line),
): Promise<void> {
  const wanted = names.filter((name) => !ready(name));
  const missing = missingCommands(wanted);
  if (missing.length) throw new Error(`missing: ${missing.join('; ')}`);
  const results = await Promise.allSettled(wanted.map((name) => install(name, say)));
  const failed = results.flatMap((result) =>
    result.status === 'rejected' ? [String((result.reason as Error).message)] : [],
  );
  if (failed.length) throw new Error(failed.join('\n'));
}
