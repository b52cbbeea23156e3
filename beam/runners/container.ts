import type * as RunnerApi from 'apache-beam/proto/beam_runner_api';
import type { PipelineResult } from 'apache-beam/runners/runner';
import { PortableRunner } from '../sdk.ts';
import { sdkModule } from '../sdk-fixes/sdk-module.ts';
import type * as Environments from 'apache-beam/internal/environments';

const { asDockerEnvironment, TYPESCRIPT_DEFAULT_ENVIRONMENT_URN } =
  sdkModule<typeof Environments>('internal/environments');
const { Pipeline } = sdkModule<typeof RunnerApi>('proto/beam_runner_api');

/**
 * The graph with an image of ours as its environment. Left to itself the SDK puts Beam's image there, and two packages that each
 * worker installs when it starts: this project, and the SDK of whatever a registry has under a tag. Our image holds both, pinned.
 */
export function inContainer(graph: RunnerApi.Pipeline, image: string): RunnerApi.Pipeline {
  const contained = Pipeline.clone(graph);
  const known = contained.components?.environments ?? {};
  for (const [id, environment] of Object.entries(known)) {
    if (environment.urn === TYPESCRIPT_DEFAULT_ENVIRONMENT_URN) known[id] = asDockerEnvironment(environment, image);
  }
  return contained;
}

/** Runs the steps of its pipelines in containers of an image. */
export class ContainerRunner extends PortableRunner {
  readonly #image: string;

  constructor(options: { jobEndpoint: string; [option: string]: unknown }, image: string) {
    super(options);
    this.#image = image;
  }

  override runPipeline(graph: RunnerApi.Pipeline): Promise<PipelineResult> {
    return super.runPipeline(inContainer(graph, this.#image));
  }
}
