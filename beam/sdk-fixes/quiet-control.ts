import { workerPrototype } from './worker.ts';
import type { Worker } from './worker.ts';

// The SDK prints every instruction to standard output, where a job of ours prints its metrics; and an instruction may carry
// elements, which are no matter of a log.

/** Hands a bundle to the worker without printing its instruction. */
export function installQuietControl(): void {
  const prototype = workerPrototype();
  const { handleRequest } = prototype;
  prototype.handleRequest = async function (this: Worker, request) {
    return request.request.oneofKind === 'processBundle' ? this.process(request) : handleRequest.call(this, request);
  };
}
