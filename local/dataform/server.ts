import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { BigQuery } from '@google-cloud/bigquery';
import grpc from '@grpc/grpc-js';
import { faultInjector } from '../faults.ts';
import type { Faults } from '../faults.ts';
import { GrpcError, loadProtos, serveGrpc, serviceOf, timestamp, unary } from '../grpc.ts';
import { compilationActions } from './compilation-actions.ts';
import { Invocation } from './invocation.ts';
import { StagedProject } from './project.ts';
import type { CompilationConfig, CompiledGraph, Target } from './project.ts';

/** What the Dataform server needs. */
export interface DataformOptions {
  port?: number;
  /** The SQL project, as it is committed. */
  projectDirectory: string;
  /** Snapshots of it, one per compilation. */
  workDirectory: string;
  projectId: string;
  location: string;
  /** URL of BigQuery. */
  bigqueryUrl: string;
}

/** A running Dataform server. */
export interface DataformServer {
  endpoint: string;
  faults: Faults;
  stop(): Promise<void>;
}

interface Compilation {
  project: StagedProject;
  graph: CompiledGraph;
  view: { name: string; compilationErrors: object[] };
}

interface InvocationConfig {
  includedTargets?: Partial<Target>[];
  includedTags?: string[];
  transitiveDependenciesIncluded?: boolean;
  transitiveDependentsIncluded?: boolean;
  fullyRefreshIncrementalTablesEnabled?: boolean;
}

/** InvocationConfig as flags of the CLI. */
function flags(config: InvocationConfig = {}): string[] {
  const targets = (config.includedTargets ?? []).map(({ database, schema, name }) =>
    [database, schema, name].filter(Boolean).join('.'),
  );
  return [
    ...(config.includedTags?.length ? ['--tags', ...config.includedTags] : []),
    ...(targets.length ? ['--actions', ...targets] : []),
    ...(config.transitiveDependenciesIncluded ? ['--include-deps'] : []),
    ...(config.transitiveDependentsIncluded ? ['--include-dependents'] : []),
    ...(config.fullyRefreshIncrementalTablesEnabled ? ['--full-refresh'] : []),
  ];
}

function errorsOf({ graphErrors }: CompiledGraph): object[] {
  return (graphErrors?.compilationErrors ?? []).map(({ message, stack, fileName }) => ({
    message,
    stack,
    path: fileName,
  }));
}

/** Compilations and invocations, in memory. */
class Repository {
  readonly #options: DataformOptions;
  readonly #bigquery: BigQuery;
  readonly #compilations = new Map<string, Compilation>();
  readonly #invocations = new Map<string, Invocation>();

  constructor(options: DataformOptions) {
    this.#options = options;
    this.#bigquery = new BigQuery({ projectId: options.projectId, apiEndpoint: options.bigqueryUrl });
  }

  async compile({
    parent,
    compilationResult = {},
  }: {
    parent: string;
    compilationResult?: { codeCompilationConfig?: CompilationConfig };
  }): Promise<object> {
    const id = randomUUID();
    const config = compilationResult.codeCompilationConfig ?? {};
    const project = await StagedProject.stage(
      this.#options.projectDirectory,
      path.join(this.#options.workDirectory, id),
      config,
    );
    const graph = await project.compile();
    const name = `${parent}/compilationResults/${id}`;
    const times = {
      createTime: timestamp(),
      resolvedGitCommitSha: project.commit,
      dataformCoreVersion: graph.dataformCoreVersion,
    };
    const view = { ...compilationResult, name, ...times, compilationErrors: errorsOf(graph) };
    this.#compilations.set(name, { project, graph, view });
    return view;
  }

  compilation(name: string): Compilation {
    const found = this.#compilations.get(name);
    if (!found) throw new GrpcError(grpc.status.NOT_FOUND, `${name} was not found`);
    return found;
  }

  invoke(request: {
    parent: string;
    workflowInvocation: { compilationResult: string; invocationConfig?: InvocationConfig };
  }): object {
    const { compilationResult, invocationConfig } = request.workflowInvocation;
    const { project, view } = this.compilation(compilationResult);
    if (view.compilationErrors.length)
      throw new GrpcError(grpc.status.FAILED_PRECONDITION, 'The compilation result has errors');
    const name = `${request.parent}/workflowInvocations/${Date.now()}-${randomUUID()}`;
    const invocation = new Invocation(name, request.workflowInvocation);
    this.#invocations.set(name, invocation);
    const { bigqueryUrl, projectId, location } = this.#options;
    void invocation.run(
      () => project.plan(bigqueryUrl, projectId, location, flags(invocationConfig)),
      this.#bigquery,
      location,
    );
    return invocation.view();
  }

  invocation(name: string): Invocation {
    const found = this.#invocations.get(name);
    if (!found) throw new GrpcError(grpc.status.NOT_FOUND, `${name} was not found`);
    return found;
  }

  invocations(parent: string): object[] {
    return [...this.#invocations.values()]
      .filter(({ name }) => name.startsWith(`${parent}/`))
      .map((invocation) => invocation.view())
      .reverse();
  }
}

/** Starts Dataform's API on the loopback interface: the real CLI compiles and plans, our executor runs the graph. */
export async function startDataform(options: DataformOptions): Promise<DataformServer> {
  const protos = loadProtos('@google-cloud/dataform/build/protos/protos.json');
  const repository = new Repository(options);
  const faults = faultInjector();
  type Named = { name: string };
  const handlers = {
    createCompilationResult: unary(
      faults.wrap('createCompilationResult', (request: { parent: string }) => repository.compile(request)),
    ),
    getCompilationResult: unary(({ name }: Named) => repository.compilation(name).view),
    queryCompilationResultActions: unary(({ name }: Named) => ({
      compilationResultActions: compilationActions(repository.compilation(name).graph),
    })),
    createWorkflowInvocation: unary(
      faults.wrap('createWorkflowInvocation', (request: Parameters<Repository['invoke']>[0]) =>
        repository.invoke(request),
      ),
    ),
    getWorkflowInvocation: unary(
      faults.wrap('getWorkflowInvocation', ({ name }: Named) => repository.invocation(name).view()),
    ),
    listWorkflowInvocations: unary(({ parent }: { parent: string }) => ({
      workflowInvocations: repository.invocations(parent),
    })),
    queryWorkflowInvocationActions: unary(({ name }: Named) => ({
      workflowInvocationActions: repository.invocation(name).actions(),
    })),
    cancelWorkflowInvocation: unary(({ name }: Named) => {
      repository.invocation(name).cancel();
      return {};
    }),
  };
  const server = await serveGrpc(
    [{ definition: serviceOf(protos, 'google.cloud.dataform.v1.Dataform'), handlers }],
    options.port ?? 0,
  );
  return { endpoint: `127.0.0.1:${server.port}`, faults, stop: () => server.stop() };
}
