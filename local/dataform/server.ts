import { faultInjector } from '../faults.ts';
import type { FaultInjector, Faults } from '../faults.ts';
import { loadProtos, serveGrpc, serviceOf, unary } from '../grpc.ts';
import { Repository } from './repository.ts';
import type { CompileRequest, InvokeRequest, ListRequest, RepositoryOptions } from './repository.ts';

/** What the Dataform server needs. */
export interface DataformOptions extends RepositoryOptions {
  port?: number;
}

/** A running Dataform server. */
export interface DataformServer {
  port: number;
  /** `host:port`, plain text. */
  endpoint: string;
  faults: Faults;
  /** Ends it and what it runs. */
  stop(): Promise<void>;
}

type Named = { name: string };

/** The methods of the service that are served. */
function methods(repository: Repository, { wrap }: FaultInjector) {
  const compile = (request: CompileRequest) => repository.compile(request);
  const compilation = ({ name }: Named) => repository.compilation(name);
  const compiled = ({ name }: Named) => ({ compilationResultActions: repository.compilationActions(name) });
  const invoke = (request: InvokeRequest) => repository.invoke(request);
  const invocation = ({ name }: Named) => repository.invocation(name).view();
  const invocations = (request: ListRequest) => ({ workflowInvocations: repository.invocations(request) });
  const actions = ({ name }: Named) => ({ workflowInvocationActions: repository.invocation(name).actions() });
  const cancel = ({ name }: Named) => {
    repository.invocation(name).cancel();
    return {};
  };
  return {
    createCompilationResult: unary(wrap('createCompilationResult', compile)),
    getCompilationResult: unary(wrap('getCompilationResult', compilation)),
    queryCompilationResultActions: unary(wrap('queryCompilationResultActions', compiled)),
    createWorkflowInvocation: unary(wrap('createWorkflowInvocation', invoke)),
    getWorkflowInvocation: unary(wrap('getWorkflowInvocation', invocation)),
    listWorkflowInvocations: unary(wrap('listWorkflowInvocations', invocations)),
    queryWorkflowInvocationActions: unary(wrap('queryWorkflowInvocationActions', actions)),
    cancelWorkflowInvocation: unary(wrap('cancelWorkflowInvocation', cancel)),
  };
}

/** Starts Dataform's API on the loopback interface: the real CLI compiles and plans, our executor runs the graph. */
export async function startDataform(options: DataformOptions): Promise<DataformServer> {
  const protos = loadProtos('@google-cloud/dataform/build/protos/protos.json');
  const repository = new Repository(options);
  const faults = faultInjector();
  const definition = serviceOf(protos, 'google.cloud.dataform.v1.Dataform');
  const server = await serveGrpc([{ definition, handlers: methods(repository, faults) }], options.port ?? 0);
  return {
    port: server.port,
    endpoint: `127.0.0.1:${server.port}`,
    faults,
    async stop() {
      await server.stop();
      await repository.close();
    },
  };
}
