// Runs a chunk's job as a launcher does, but on a runner that starts the entry of a worker's container as a process:
// `node boot-job.ts <job endpoint> <command> --chunk=… --contract=…`
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import type * as RunnerApi from 'apache-beam/proto/beam_runner_api';
import { kappa } from '../../beam/pipeline.ts';
import { inContainer } from '../../beam/runners/container.ts';
import { dataflowOptions } from '../../beam/runners/index.ts';
import { PortableRunner } from '../../beam/sdk.ts';
import { sdkModule } from '../../beam/sdk-fixes/sdk-module.ts';
import { listedObjects } from '../../beam/sources/listed-objects.ts';
import '../../beam/sources/pulled-objects.ts';
import { storageClient } from '../../src/gcp/clients.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { DeltaStore } from '../../src/lakehouse/deltas/index.ts';
import { ObjectStore } from '../../src/lakehouse/object-store.ts';

const { ProcessPayload } = sdkModule<typeof RunnerApi>('proto/beam_runner_api');

const text = { type: 'string' } as const;
const { positionals, values } = parseArgs({ options: { chunk: text, contract: text }, allowPositionals: true });
const [jobEndpoint = '', command = ''] = positionals;
const { chunk: chunkUri = '', contract = '' } = values;

/** A container becomes the process that is its entry. */
class ProcessRunner extends PortableRunner {
  override runPipeline(graph: RunnerApi.Pipeline) {
    const contained = inContainer(graph, 'image');
    for (const environment of Object.values(contained.components?.environments ?? {})) {
      environment.urn = 'beam:env:process:v1';
      environment.payload = ProcessPayload.toBinary({ os: '', arch: '', command, env: {} });
    }
    return super.runPipeline(contained);
  }
}

const environment = readEnvironment();
const deltas = new DeltaStore(new ObjectStore(await storageClient(environment)), environment.buckets.ops);
const { batchId, table, objects } = await deltas.readChunk(chunkUri);
const batch = { batchId, table, stage: deltas.stageUri(batchId, randomUUID()) };
const runner = new ProcessRunner({ ...dataflowOptions(environment, '{}', 'image'), jobEndpoint });
await runner.run((root) => listedObjects(objects)(root).apply(kappa({ chunk: chunkUri, contract, batch })) as never);
