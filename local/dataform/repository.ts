import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { BigQuery } from '@google-cloud/bigquery';
import grpc from '@grpc/grpc-js';
import { GrpcError, timestamp } from '../grpc.ts';
import { compilationActions } from './compilation-actions.ts';
import { Invocation } from './invocation.ts';
import type { InvocationRecord } from './invocation.ts';
import { StagedProject } from './project.ts';
import type { CompilationConfig, CompiledGraph, PlanOptions } from './project.ts';
import { RecordFolder } from './record-folder.ts';
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

function found<Item>(item: Item | undefined, name: string): Item {
  if (!item) throw new GrpcError(grpc.status.NOT_FOUND, `${name} was not found`);
  return item;
}

const lastPart = (name: string): string => name.split('/').at(-1) ?? '';

/**
 * Compilations and invocations; files keep them, so that they outlive the server. Methods throw GrpcError where Dataform
 * answers with an error.
 */
export class Repository {
  readonly #options: RepositoryOptions;
  readonly #bigquery: BigQuery;
  readonly #compilations: RecordFolder<Compilation>;
  readonly #records: RecordFolder<InvocationRecord>;
  readonly #invocations = new Map<string, Invocation>();
  readonly #running = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();

  constructor(options: RepositoryOptions) {
    this.#options = options;
    const { projectId, bigqueryUrl } = options;
    // With a token it looks for no credentials; the package's types leave the option out.
    const client = { projectId, apiEndpoint: bigqueryUrl, token: 'local' };
    this.#bigquery = new BigQuery(client);
    this.#compilations = new RecordFolder(path.join(options.workDirectory, 'compilations'));
    this.#records = new RecordFolder(path.join(options.workDirectory, 'invocations'));
    this.#restore();
  }

  async compile({ parent, compilationResult = {} }: CompileRequest): Promise<object> {
    const id = randomUUID();
    const directory = path.join(this.#options.workDirectory, id);
    const config = compilationResult.codeCompilationConfig ?? {};
    const staging = StagedProject.stage(this.#options.projectDirectory, directory, config);
    const { project, commit } = await this.#track(staging);
    const graph = await this.#track(project.compile(this.#closing.signal));
    const name = `${parent}/compilationResults/${id}`;
    const { dataformCoreVersion } = graph;
    const resolved = { createTime: timestamp(), resolvedGitCommitSha: commit, dataformCoreVersion };
    const view = { ...compilationResult, name, ...resolved, compilationErrors: errorsOf(graph) };
    this.#compilations.write(id, { graph, view });
    return view;
  }

  compilation(name: string): object {
    return this.#compilation(name).view;
  }

  compilationActions(name: string): object[] {
    return compilationActions(this.#compilation(name).graph);
  }

  invoke({ parent, workflowInvocation }: InvokeRequest): object {
    const { view } = this.#compilation(workflowInvocation.compilationResult);
    if (view.compilationErrors.length)
      throw new GrpcError(grpc.status.FAILED_PRECONDITION, 'The compilation result has errors');
    const name = `${parent}/workflowInvocations/${Date.now()}-${randomUUID()}`;
    const invocation = new Invocation(name, workflowInvocation, (record) => this.#keep(record));
    this.#run(invocation);
    return invocation.view();
  }

  invocation(name: string): Invocation {
    return found(this.#invocations.get(name), name);
  }

  /** Newest first, unless they are wanted by ascending name. */
  invocations({ parent, orderBy, filter }: ListRequest): object[] {
    if (filter) throw new GrpcError(grpc.status.UNIMPLEMENTED, 'filter is not supported');
    const listed = [...this.#invocations.values()].filter(({ name }) => name.startsWith(`${parent}/`));
    const views = listed.map((invocation) => invocation.view());
    return /^name( asc)?$/.test(orderBy ?? '') ? views : views.reverse();
  }

  /** What ran when the service was killed goes on: Google's own would not have noticed the death of our machine. */
  #restore(): void {
    const records = this.#records.all();
    const known = records.map((record) => Invocation.restore(record, (changed) => this.#keep(changed)));
    for (const invocation of known.sort((a, b) => a.started - b.started)) {
      this.#invocations.set(invocation.name, invocation);
      if (invocation.running) this.#run(invocation);
    }
  }

  #run(invocation: Invocation): void {
    const { compilationResult, invocationConfig } = invocation.request;
    this.#invocations.set(invocation.name, invocation);
    const project = new StagedProject(path.join(this.#options.workDirectory, lastPart(compilationResult)));
    const plan = (signal: AbortSignal) => project.plan(this.#options, selectionFlags(invocationConfig), signal);
    const { location } = this.#options;
    const context = { bigquery: this.#bigquery, location, invocationId: lastPart(invocation.name) };
    void this.#track(invocation.run(plan, context));
  }

  #keep(record: InvocationRecord): void {
    // Our own stop ends what runs, but not for good: the next start goes on with it.
    if (!this.#closing.signal.aborted) this.#records.write(lastPart(record.name), record);
  }

  #compilation(name: string): Compilation {
    const read = this.#compilations.read(lastPart(name));
    return found(read?.view.name === name ? read : undefined, name);
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
