import { sdkDependency, sdkModule } from './sdk-module.ts';

// An expansion service may leave the choice between several environments, whose artifacts it fetches itself ("deferred"). The SDK
// can neither choose nor offer such artifacts: "Unknown artifact type beam:artifact:type:deferred:v1". A worker that runs beside
// the expansion service needs none; it is chosen where also our own worker runs beside the job (LOOPBACK).

interface Environment {
  urn: string;
  payload: Uint8Array;
  capabilities: string[];
  dependencies: unknown[];
}

interface Pipeline {
  components: { environments: Record<string, Environment> };
}

interface Options {
  environmentType?: string;
}

interface PortableRunner {
  defaultOptions?: Options;
  runPipelineWithProto(pipeline: Pipeline, options?: Options): Promise<unknown>;
}

const ANY_OF = 'beam:env:anyof:v1';
const EXTERNAL = 'beam:env:external:v1';

interface Reader {
  pos: number;
  len: number;
  tag(): [field: number, wireType: number];
  bytes(): Uint8Array;
  skip(wireType: number): unknown;
}

/** The environments of an AnyOfEnvironmentPayload, a message that the SDK's protos are too old for: each is a field 1. */
function choices(payload: Uint8Array): Environment[] {
  const { Environment } = sdkModule<{ Environment: { fromBinary(bytes: Uint8Array): Environment } }>(
    'proto/beam_runner_api',
  );
  const { BinaryReader } = sdkDependency<{ BinaryReader: new (bytes: Uint8Array) => Reader }>('@protobuf-ts/runtime');
  const reader = new BinaryReader(payload);
  const found: Environment[] = [];
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) found.push(Environment.fromBinary(reader.bytes()));
    else reader.skip(wireType);
  }
  return found;
}

/** The environment itself, or of several the external one, without what it would need elsewhere. */
function chosen(environment: Environment): Environment {
  if (environment.urn !== ANY_OF) return environment;
  const external = choices(environment.payload).find(({ urn }) => urn === EXTERNAL);
  if (!external) return environment;
  const { capabilities } = environment.capabilities.length ? environment : external;
  return { ...external, dependencies: [], capabilities };
}

/** Chooses external environments for jobs whose own worker is external too; other jobs keep what they were given. */
export function installExternalEnvironments(): void {
  const { prototype } = sdkModule<{ PortableRunner: { prototype: PortableRunner } }>(
    'runners/portable_runner/runner',
  ).PortableRunner;
  const { runPipelineWithProto } = prototype;
  prototype.runPipelineWithProto = function (this: PortableRunner, pipeline, options) {
    const { environmentType } = { ...this.defaultOptions, ...options };
    if (environmentType === 'LOOPBACK') {
      const { environments } = pipeline.components;
      for (const [id, environment] of Object.entries(environments)) environments[id] = chosen(environment);
    }
    return runPipelineWithProto.call(this, pipeline, options);
  };
}
