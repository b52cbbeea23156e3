import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { dataformCli } from './cli.ts';
import type { Target } from './targets.ts';

const require = createRequire(import.meta.url);

/** CodeCompilationConfig of the API, the part that is honoured. */
export interface CompilationConfig {
  defaultDatabase?: string;
  defaultSchema?: string;
  defaultLocation?: string;
  assertionSchema?: string;
  vars?: Record<string, string>;
  databaseSuffix?: string;
  schemaSuffix?: string;
  tablePrefix?: string;
  builtinAssertionNamePrefix?: string;
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
  protected?: boolean;
  preOps?: string[];
  postOps?: string[];
  incrementalQuery?: string;
  incrementalPreOps?: string[];
  incrementalPostOps?: string[];
  uniqueKey?: string[];
  bigquery?: { partitionBy?: string; clusterBy?: string[] };
  actionDescriptor?: { description?: string; bigqueryLabels?: Record<string, string> };
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

/** An action of the execution graph: SQL to run. */
export interface PlannedAction {
  target: Target;
  dependencyTargets?: Target[];
  /** Empty where the action is disabled. */
  tasks: { type: 'statement' | 'assertion'; statement: string }[];
}

/** What planning asks of BigQuery: which tables are there. */
export interface PlanOptions {
  bigqueryUrl: string;
  projectId: string;
  location: string;
}

/** Whether a path inside the project is part of what is committed. */
const committed = (relative: string): boolean => !relative.split(path.sep).includes('node_modules');

async function hashFolder(directory: string): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)));
  for (const file of files.filter(committed).sort()) {
    hash.update(`${file}\n`).update(await readFile(path.join(directory, file)));
  }
  return hash.digest('hex').slice(0, 40);
}

/** The names that the settings file has for the API's configuration. */
function asSettings(config: CompilationConfig): object {
  const settings = {
    defaultProject: config.defaultDatabase,
    defaultDataset: config.defaultSchema,
    defaultLocation: config.defaultLocation,
    defaultAssertionDataset: config.assertionSchema,
    projectSuffix: config.databaseSuffix,
    datasetSuffix: config.schemaSuffix,
    namePrefix: config.tablePrefix,
    builtinAssertionNamePrefix: config.builtinAssertionNamePrefix,
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value));
}

/** A snapshot of the SQL project with the settings of one compilation: what a compilation result is. */
export class StagedProject {
  readonly directory: string;

  /** A project that was staged before. */
  constructor(directory: string) {
    this.directory = directory;
  }

  /**
   * Copies the project. Variables go into the settings and not onto the command line, which cuts values at commas; the core
   * is a real copy, since the CLI's sandbox refuses links. `commit` is a content hash of the project.
   */
  static async stage(
    source: string,
    directory: string,
    config: CompilationConfig,
  ): Promise<{ project: StagedProject; commit: string }> {
    await mkdir(directory, { recursive: true });
    await cp(source, directory, { recursive: true, filter: (file) => committed(path.relative(source, file)) });
    const settingsFile = path.join(directory, 'workflow_settings.yaml');
    // A version in the settings would make the CLI download the core at each compilation.
    const { dataformCoreVersion, ...settings } = parse(await readFile(settingsFile, 'utf8')) as Record<string, unknown>;
    const vars = { ...(settings.vars as object | undefined), ...config.vars };
    await writeFile(settingsFile, stringify({ ...settings, ...asSettings(config), vars }));
    const core = path.dirname(require.resolve('@dataform/core/package.json'));
    await cp(core, path.join(directory, 'node_modules/@dataform/core'), { recursive: true });
    const dependencies = { '@dataform/core': dataformCoreVersion };
    await writeFile(path.join(directory, 'package.json'), JSON.stringify({ private: true, dependencies }));
    return { project: new StagedProject(directory), commit: await hashFolder(source) };
  }

  /** @throws Error with what the CLI printed when it printed no graph */
  async compile(signal: AbortSignal): Promise<CompiledGraph> {
    const { stdout, stderr } = await dataformCli(['compile', '--json', this.directory], {}, signal);
    try {
      return JSON.parse(stdout) as CompiledGraph;
    } catch (error) {
      throw new Error(stderr || stdout, { cause: error });
    }
  }

  /**
   * The SQL that an invocation runs, from the CLI's own dry run.
   *
   * @param selection flags of the CLI that say which actions
   * @throws Error with what the CLI printed when it failed
   */
  async plan(options: PlanOptions, selection: string[], signal: AbortSignal): Promise<PlannedAction[]> {
    const { bigqueryUrl, projectId, location } = options;
    const credentials = path.join(this.directory, '.df-credentials.json');
    await writeFile(credentials, JSON.stringify({ projectId, location }));
    const env = {
      BIGQUERY_EMULATOR_HOST: `${bigqueryUrl}/bigquery/v2`,
      METADATA_SERVER_DETECTION: 'none',
      GCE_METADATA_HOST: '',
    };
    const args = ['run', this.directory, '--dry-run', '--json', `--credentials=${credentials}`, ...selection];
    const { stdout, stderr, failed } = await dataformCli(args, env, signal);
    if (failed) throw new Error(stderr || stdout);
    const { actions = [] } = JSON.parse(stdout) as {
      actions?: (Omit<PlannedAction, 'tasks'> & Partial<PlannedAction>)[];
    };
    return actions.map((action) => ({ ...action, tasks: action.tasks ?? [] }));
  }
}
