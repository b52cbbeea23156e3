import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const CLI = require.resolve('@dataform/cli/bundle.js');

/** Where an action's result goes. */
export interface Target {
  database: string;
  schema: string;
  name: string;
}

/** CodeCompilationConfig of the API, the part that is honoured. */
export interface CompilationConfig {
  defaultDatabase?: string;
  defaultSchema?: string;
  defaultLocation?: string;
  assertionSchema?: string;
  vars?: Record<string, string>;
  schemaSuffix?: string;
  tablePrefix?: string;
}

/** An action of the compiled graph. */
export interface GraphAction {
  target: Target;
  canonicalTarget?: Target;
  fileName?: string;
  dependencyTargets?: Target[];
  tags?: string[];
  disabled?: boolean;
  query?: string;
  enumType?: string;
  materialized?: boolean;
  parentAction?: Target;
  queries?: string[];
  hasOutput?: boolean;
}

/** The compiled graph, as the CLI prints it. */
export interface CompiledGraph {
  tables?: GraphAction[];
  assertions?: GraphAction[];
  operations?: GraphAction[];
  declarations?: GraphAction[];
  dataformCoreVersion?: string;
  graphErrors?: { compilationErrors?: { message: string; stack?: string; fileName?: string; actionTarget?: Target }[] };
}

/** A task of the execution graph: SQL to run. */
export interface PlannedAction {
  target: Target;
  dependencyTargets?: Target[];
  tasks: { type: 'statement' | 'assertion'; statement: string }[];
}

/** Runs the real Dataform CLI; a failed run still gives what it printed, since errors of a compilation are printed too. */
async function cli(
  args: string[],
  env: Record<string, string>,
): Promise<{ stdout: string; stderr: string; failed: boolean }> {
  try {
    const { stdout, stderr } = await run(process.execPath, [CLI, ...args], {
      maxBuffer: 1 << 28,
      env: { ...process.env, ...env },
    });
    return { stdout, stderr, failed: false };
  } catch (error) {
    const { stdout = '', stderr = '', message } = error as { stdout?: string; stderr?: string; message: string };
    return { stdout, stderr: stderr || message, failed: true };
  }
}

async function hashFolder(directory: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of (await readdir(directory, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  )) {
    const file = path.join(name.parentPath, name.name);
    if (!file.includes('node_modules')) hash.update(path.relative(directory, file)).update(await readFile(file));
  }
  return hash.digest('hex').slice(0, 40);
}

/** A snapshot of the SQL project with the settings of one compilation: what a compilation result is. */
export class StagedProject {
  readonly directory: string;
  readonly commit: string;

  private constructor(directory: string, commit: string) {
    this.directory = directory;
    this.commit = commit;
  }

  /**
   * Copies the project. Variables go into the settings and not onto the command line, which cuts values at commas; the core
   * is a real copy, since the CLI's sandbox refuses links.
   */
  static async stage(source: string, directory: string, config: CompilationConfig): Promise<StagedProject> {
    await mkdir(directory, { recursive: true });
    await cp(source, directory, { recursive: true, filter: (file) => !file.includes('node_modules') });
    const settingsFile = path.join(directory, 'workflow_settings.yaml');
    const { dataformCoreVersion, ...settings } = parse(await readFile(settingsFile, 'utf8')) as Record<string, unknown>;
    const rename = {
      defaultProject: config.defaultDatabase,
      defaultDataset: config.defaultSchema,
      defaultLocation: config.defaultLocation,
    };
    const others = {
      defaultAssertionDataset: config.assertionSchema,
      datasetSuffix: config.schemaSuffix,
      namePrefix: config.tablePrefix,
    };
    const given = Object.fromEntries(Object.entries({ ...rename, ...others }).filter(([, value]) => value));
    const vars = { ...(settings.vars as object | undefined), ...config.vars };
    await writeFile(settingsFile, stringify({ ...settings, ...given, vars }));
    const core = path.dirname(require.resolve('@dataform/core/package.json'));
    await cp(core, path.join(directory, 'node_modules/@dataform/core'), { recursive: true });
    const dependencies = { '@dataform/core': dataformCoreVersion };
    await writeFile(path.join(directory, 'package.json'), JSON.stringify({ private: true, dependencies }));
    return new StagedProject(directory, await hashFolder(source));
  }

  /** @throws Error with what the CLI printed when it printed no graph */
  async compile(): Promise<CompiledGraph> {
    const { stdout, stderr } = await cli(['compile', '--json', this.directory], {});
    try {
      return JSON.parse(stdout) as CompiledGraph;
    } catch (error) {
      throw new Error(stderr || stdout, { cause: error });
    }
  }

  /** The SQL that an invocation runs, from the CLI's own dry run. It only asks BigQuery which tables are there. */
  async plan(bigqueryUrl: string, projectId: string, location: string, args: string[]): Promise<PlannedAction[]> {
    const credentials = path.join(this.directory, '.df-credentials.json');
    await writeFile(credentials, JSON.stringify({ projectId, location }));
    const env = {
      BIGQUERY_EMULATOR_HOST: `${bigqueryUrl}/bigquery/v2`,
      METADATA_SERVER_DETECTION: 'none',
      GCE_METADATA_HOST: '',
    };
    const { stdout, stderr, failed } = await cli(
      ['run', this.directory, '--dry-run', '--json', `--credentials=${credentials}`, ...args],
      env,
    );
    if (failed) throw new Error(stderr || stdout);
    return (JSON.parse(stdout) as { actions: PlannedAction[] }).actions;
  }
}
