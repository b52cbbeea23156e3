import { status } from '@grpc/grpc-js';
import { workerPrototype } from './worker.ts';
import type { Worker } from './worker.ts';

// Nobody listens for errors of the control channel, so a runner that goes away at the end of a job, as runners do, takes the whole
// process with it. What became of the job is told by its state.

const GOING_AWAY: unknown[] = [status.CANCELLED, status.UNAVAILABLE];

/** Outlives the end of the control channel; other errors of it are printed. */
export function installChannelErrors(): void {
  const prototype = workerPrototype();
  const { handleRequest } = prototype;
  const patched = new WeakSet<Worker>();
  prototype.handleRequest = async function (this: Worker, request) {
    if (!patched.has(this)) {
      patched.add(this);
      this.controlChannel.on('error', ({ code, message }) => {
        if (!GOING_AWAY.includes(code)) console.error(`control channel: ${message}`);
      });
    }
    return handleRequest.call(this, request);
  };
}
