import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { BigQuery } from '@google-cloud/bigquery';
import grpc from '@grpc/grpc-js';
import { GrpcError, timestamp } from '../grpc.ts';
import { compilationActions } from './compilation-actions.ts';
import { Invocation } from './invocation.ts';
import { StagedProject } from './project.ts';
import type { CompilationConfig, CompiledGraph, PlanOptions } from './project.ts';
import { selectionFlags } from './selection.ts';
import type { InvocationConfig } from './selection.ts';
import { targetOf } from './targets.ts';

/** What is compiled, and where it runs. */
export interface RepositoryOptions extends PlanOptions {
  /** The SQL project, as it is committed. */
  projectDirectory: string;
  /** Snapshots of it, one per compilation. */
  workDirectory: string;
}

/** CreateCompilationResultRequest, the part that is honoured. */
export interface CompileRequest {
  parent: string;
  compilationResult?: { codeCompilationConfig?: CompilationConfig };
}

/** CreateWorkflowInvocationRequest. */
export interface InvokeRequest {
  parent: string;
  workflowInvocation: { compilationResult: string; invocationConfig?: InvocationConfig };
}

/** ListWorkflowInvocationsRequest, without pages. */
export interface ListRequest {
  parent: string;
  orderBy?: string;
  filter?: string;
}

interface Compilation {
  project: StagedProject;
  graph: CompiledGraph;
  view: { name: string; compilationErrors: object[] };
}

function errorsOf({ graphErrors }: CompiledGraph): object[] {
  return (graphErrors?.compilationErrors ?? []).map(({ message, stack, fileName, actionTarget }) => ({
    message,
    stack,
    path: fileName,
    ...(actionTarget ? { actionTarget: targetOf(actionTarget) } : {}),
  }));
}

function found<Item>(items: Map<string, Item>, name: string): Item {
  const item = items.get(name);
  if (!item) throw new GrpcError(grpc.status.NOT_FOUND, `${name} was not found`);
  return item;
}

/** Compilations and invocations, in memory. Methods throw GrpcError where Dataform answers with an error. */
export class Repository {
  readonly #options: RepositoryOptions;
  readonly #bigquery: BigQuery;
  readonly #compilations = new Map<string, Compilation>();
  readonly #invocations = new Map<string, Invocation>();
  readonly #running = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();

  constructor(options: RepositoryOptions) {
    this.#options = options;
    const { projectId, bigqueryUrl } = options;
    // With a token it looks for no credentials; the package's types leave the option out.
    const client = { projectId, apiEndpoint: bigqueryUrl, token: 'local' };
    this.#bigquery = new BigQuery(client);
  }

  async compile({ parent, compilationResult = {} }: CompileRequest): Promise<object> {
    const id = randomUUID();
    const directory = path.join(this.#options.workDirectory, id);
    const config = compilationResult.codeCompilationConfig ?? {};
    const project = await this.#track(StagedProject.stage(this.#options.projectDirectory, directory, config));
    const graph = await this.#track(project.compile(this.#closing.signal));
    const name = `${parent}/compilationResults/${id}`;
    const { dataformCoreVersion } = graph;
    const resolved = { createTime: timestamp(), resolvedGitCommitSha: project.commit, dataformCoreVersion };
    const view = { ...compilationResult, name, ...resolved, compilationErrors: errorsOf(graph) };
    this.#compilations.set(name, { project, graph, view });
    return view;
  }

  compilation(name: string): object {
    return found(this.#compilations, name).view;
  }

  compilationActions(name: string): object[] {
    return compilationActions(found(this.#compilations, name).graph);
  }

  invoke({ parent, workflowInvocation }: InvokeRequest): object {
    const { project, view } = found(this.#compilations, workflowInvocation.compilationResult);
    if (view.compilationErrors.length)
      throw new GrpcError(grpc.status.FAILED_PRECONDITION, 'The compilation result has errors');
    const invocationId = `${Date.now()}-${randomUUID()}`;
    const invocation = new Invocation(`${parent}/workflowInvocations/${invocationId}`, workflowInvocation);
    this.#invocations.set(invocation.name, invocation);
    const selection = selectionFlags(workflowInvocation.invocationConfig);
    const context = { bigquery: this.#bigquery, location: this.#options.location, invocationId };
    const plan = (signal: AbortSignal) => project.plan(this.#options, selection, signal);
    void this.#track(invocation.run(plan, context));
    return invocation.view();
  }

  invocation(name: string): Invocation {
    return found(this.#invocations, name);
  }

  /** Newest first, unless they are wanted by ascending name. */
  invocations({ parent, orderBy, filter }: ListRequest): object[] {
    if (filter) throw new GrpcError(grpc.status.UNIMPLEMENTED, 'filter is not supported');
    const listed = [...this.#invocations.values()].filter(({ name }) => name.startsWith(`${parent}/`));
    const views = listed.map((invocation) => invocation.view());
    return /^name( asc)?$/.test(orderBy ?? '') ? views : views.reverse();
  }

  /** Cancels what runs and waits until it has ended. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const invocation of this.#invocations.values()) invocation.cancel();
    await Promise.allSettled(this.#running);
  }

  #track<Result>(work: Promise<Result>): Promise<Result> {
    this.#running.add(work);
    const forget = (): void => void this.#running.delete(work);
    work.then(forget, forget);
    return work;
  }
}
