import '../sdk-fixes/index.ts';
import { createRequire } from 'node:module';
import type { Runner } from 'apache-beam/runners/runner';
import type * as Environments from 'apache-beam/internal/environments';
import type * as Portable from 'apache-beam/runners/portable_runner/runner';
import type * as RunnerApi from 'apache-beam/proto/beam_runner_api';
import type * as Services from 'apache-beam/utils/service';
import type { DataflowOptions } from './dataflow-options.ts';

const require = createRequire(import.meta.url);
const { PortableRunner } = require('apache-beam/runners/portable_runner/runner') as typeof Portable;
const { PythonService } = require('apache-beam/utils/service') as typeof Services;
const environments = require('apache-beam/internal/environments') as typeof Environments;
const { Pipeline } = require('apache-beam/proto/beam_runner_api') as typeof RunnerApi;

/** Beam's own program that takes a job of any SDK and submits it to Dataflow. */
const JOB_SERVICE = 'apache_beam.runners.dataflow.dataflow_job_service';

/** Milliseconds that Python may take to load it: the SDK waits 10 s, which a busy machine exceeds. */
const STARTED_WITHIN_MS = 120_000;

function jobService() {
  const service = PythonService.forModule(JOB_SERVICE, ['--port', '{{PORT}}']);
  if (service instanceof PythonService) {
    const { portReady } = service;
    service.portReady = (port, host) => portReady.call(service, port, host, STARTED_WITHIN_MS);
  }
  return service;
}

/**
 * The graph with our image as its environment. The SDK would put Beam's image there, and two packages that each worker installs
 * when it starts: this project, packed, and the SDK of whatever the registry has under a tag. Our image holds both, pinned.
 */
export function inContainer(pipeline: RunnerApi.Pipeline, image: string): RunnerApi.Pipeline {
  const graph = Pipeline.clone(pipeline);
  const known = graph.components?.environments ?? {};
  for (const [id, environment] of Object.entries(known)) {
    if (environment.urn === environments.TYPESCRIPT_DEFAULT_ENVIRONMENT_URN)
      known[id] = environments.asDockerEnvironment(environment, image);
  }
  return graph;
}

/**
 * Runs pipelines on Dataflow: Python's job service, started for each, takes the graph and submits it. A run ends when the job
 * does; with `templateLocation`, as soon as the job is written there.
 */
export class DataflowRunner extends PortableRunner {
  readonly #image: string;

  constructor(options: DataflowOptions) {
    super({ jobEndpoint: '' }, jobService());
    this.defaultOptions = { ...options }; // each becomes an option of Python's runner
    this.#image = options.sdkContainerImage;
  }

  override async runPipeline(pipeline: RunnerApi.Pipeline): ReturnType<Runner['runPipeline']> {
    return super.runPipeline(inContainer(pipeline, this.#image));
  }
}
