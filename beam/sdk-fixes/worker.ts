import { sdkModule } from './sdk-module.ts';

// What the fixes know of the SDK's worker: it takes instructions of a runner over the control channel of Beam's Fn API.

/** An instruction; the member that `oneofKind` names holds what is asked. */
export interface InstructionRequest {
  instructionId: string;
  request: { oneofKind?: string } & Record<string, unknown>;
}

/** Metrics by short id. */
type MonitoringData = Map<string, Uint8Array>;

/** The worker of one runner in this process. */
export interface Worker {
  id: string;
  controlClient: {
    getProcessBundleDescriptor(request: unknown, metadata: unknown, callback?: unknown): unknown;
  };
  controlChannel: {
    write(response: unknown): unknown;
    on(event: 'end', listener: () => void): unknown;
    on(event: 'error', listener: (error: { code?: number; message: string }) => void): unknown;
  };
  activeBundleProcessors: Map<string, { monitoringData(cache: unknown): MonitoringData }>;
  metricsShortIdCache: { asMonitoringInfo(id: string, payload: Uint8Array): unknown };
  handleRequest(request: InstructionRequest): Promise<unknown>;
  process(request: InstructionRequest): Promise<void>;
  getDataChannel(endpoint: string): unknown;
}

/** The prototype of all workers. */
export function workerPrototype(): Worker {
  return sdkModule<{ Worker: { prototype: Worker } }>('worker/worker').Worker.prototype;
}

/** Answers instructions of one kind ourselves; those of other kinds go on to the SDK. */
export function answerInstructions(
  kind: string,
  answer: (worker: Worker, asked: Record<string, unknown>) => Record<string, unknown>,
): void {
  const prototype = workerPrototype();
  const { handleRequest } = prototype;
  prototype.handleRequest = async function (this: Worker, request) {
    if (request.request.oneofKind !== kind) return handleRequest.call(this, request);
    const response = { oneofKind: kind, [kind]: answer(this, request.request[kind] as Record<string, unknown>) };
    return this.controlChannel.write({ instructionId: request.instructionId, error: '', response });
  };
}
