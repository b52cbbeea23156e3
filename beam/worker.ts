#!/usr/bin/env node
// A worker of a job in a container: what the SDK's boot starts under the name `apache-beam-worker` (beam/deploy/Dockerfile). It is
// the SDK's own worker, with our fixes before it; the SDK would load them only after itself, which is too late for some.
import './sdk-fixes/index.ts';
import { createRequire, registerHooks } from 'node:module';
import path from 'node:path';
import { variablesOf } from './runners/job-environment.ts';
import { workerPrototype } from './sdk-fixes/worker.ts';

/** Names by which DoFns are registered: the SDK require()s each before it takes work. */
const REGISTERED = /^cupel\/(beam\/.+)$/;

const PROJECT = path.dirname(import.meta.dirname);

registerHooks({
  resolve(specifier, context, next) {
    const [, module] = REGISTERED.exec(specifier) ?? [];
    return module ? next(path.join(PROJECT, `${module}.ts`), context) : next(specifier, context);
  },
});

/** Ends the process with its runner: whoever started the container starts another, where a worker without work would stay. */
function endWithRunner(): void {
  const prototype = workerPrototype();
  const { handleRequest } = prototype;
  const watched = new WeakSet<object>();
  prototype.handleRequest = async function (request) {
    if (!watched.has(this)) {
      watched.add(this);
      this.controlChannel.on('end', () => process.exit());
      this.controlChannel.on('error', () => process.exit(1));
    }
    return handleRequest.call(this, request);
  };
}

Object.assign(process.env, variablesOf(process.argv));
endWithRunner();
createRequire(import.meta.url)('apache-beam/worker/worker_main');
