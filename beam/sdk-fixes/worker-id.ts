import { sdkDependency } from './sdk-module.ts';
import { workerPrototype } from './worker.ts';
import type { Worker } from './worker.ts';

// GetProcessBundleDescriptor is sent without the worker's id. A runner that serves all workers on one port, as Prism and
// Dataflow do, refuses it: "failed to find worker id in metadata".

type Metadata = new () => { add(name: string, value: string): void };

/** Sends the worker's id with the one request of the control service that lacks it. */
export function installWorkerId(): void {
  // That of another copy of the package counts as options, and is dropped.
  const { Metadata } = sdkDependency<{ Metadata: Metadata }>('@grpc/grpc-js');
  const prototype = workerPrototype();
  const { process } = prototype;
  const patched = new WeakSet<Worker>();
  prototype.process = async function (this: Worker, request) {
    if (!patched.has(this)) {
      patched.add(this);
      const client = this.controlClient;
      const metadata = new Metadata();
      metadata.add('worker_id', this.id);
      const ask = client.getProcessBundleDescriptor.bind(client);
      client.getProcessBundleDescriptor = (asked, callback) => ask(asked, metadata, callback);
    }
    return process.call(this, request);
  };
}
