import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type * as RunnerApi from 'apache-beam/proto/beam_runner_api';
import { sdkModule } from '../../beam/sdk-fixes/sdk-module.ts';
import { PROJECT, toolPath } from '../../scripts/tools.ts';
import { earthquakes } from '../support/contracts.ts';
import { BUCKETS } from '../support/kappa-job.ts';
import { captureDataflow } from './capture.ts';
import type { DataflowCapture } from './capture.ts';
import { readyChunk } from './chunk.ts';
import type { ReadyChunk } from './chunk.ts';

const { Pipeline, DockerPayload, ParDoPayload } = sdkModule<typeof RunnerApi>('proto/beam_runner_api');

const IMAGE = 'europe-west1-docker.pkg.dev/cupel-test/cupel/kappa:0123abcd';
const SECRET = 'whsec_c2hvdWxkIHN0YXkgaGVyZQ==';
const PLACE = '7 km S of Nowhere in particular';

let ready: ReadyChunk;
let dataflow: DataflowCapture;
let directory: string;
/** Python whose Google clients find our Cloud Storage. Node's must not see the variable, which changes its paths too. */
let python: string;

beforeAll(async () => {
  const poll = `{"type":"FeatureCollection","metadata":{"generated":1},"features":[{"properties":{"place":"${PLACE}"}}]}`;
  [ready, dataflow] = await Promise.all([readyChunk(earthquakes(), poll), captureDataflow()]);
  directory = await mkdtemp(path.join(tmpdir(), 'cupel-test-'));
  python = path.join(directory, 'python');
  const script = `#!/bin/sh\nSTORAGE_EMULATOR_HOST=${ready.storageUrl} exec ${toolPath('dataflowPython')} "$@"\n`;
  await writeFile(python, script, { mode: 0o755 });
});
afterAll(async () => {
  await Promise.all([dataflow.stop(), ready.stop()]);
  await rm(directory, { recursive: true, force: true });
});

/** What a launch runs with. There are no credentials here: the option `noAuth` has Beam look for none. */
const environment = (): NodeJS.ProcessEnv => ({
  ...ready.environment,
  CUPEL_WEBHOOK_URL: 'https://example.org/hook',
  CUPEL_WEBHOOK_SECRET: SECRET,
  CUPEL_IMAGE: IMAGE,
  CUPEL_NODE: process.execPath,
  BEAM_SERVICE_OVERRIDES: JSON.stringify({
    'python:apache_beam.runners.dataflow.dataflow_job_service': python,
  }),
});

interface End {
  code: number;
  output: string;
}

function run(command: string, args: string[], env = environment()): Promise<End> {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code: code ?? 1, output })));
}

const submit = (options: object, env = environment()): Promise<End> =>
  run(
    process.execPath,
    [
      path.join(PROJECT, 'beam/main.ts'),
      ...ready.arguments,
      '--runner=dataflow',
      `--pipeline-options=${JSON.stringify({ dataflowEndpoint: dataflow.url, noAuth: true, ...options })}`,
    ],
    env,
  );

interface Job {
  name: string;
  type: string | number;
  labels?: Record<string, string>;
  environment: {
    experiments: string[];
    serviceAccountEmail?: string;
    tempStoragePrefix: string;
    version: Record<string, string>;
    sdkPipelineOptions: { options: Record<string, unknown> };
    workerPools: {
      kind: string;
      numWorkers: number;
      machineType: string;
      diskSizeGb: number;
      subnetwork: string;
      ipConfiguration: string | number;
      autoscalingSettings: { maxNumWorkers: number };
      workerHarnessContainerImage: string;
      sdkHarnessContainerImages: {
        containerImage: string;
        useSingleCorePerContainer: boolean;
        capabilities: string[];
      }[];
    }[];
  };
}

/** The graph that a job refers to, as it was staged. */
async function stagedGraph(job: Job): Promise<{ graph: RunnerApi.Pipeline; bytes: Buffer }> {
  const { pipelineUrl, pipelineProtoHash } = job.environment.sdkPipelineOptions.options as Record<string, string>;
  const bytes = await ready.store.read(pipelineUrl ?? '');
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(pipelineProtoHash);
  return { graph: Pipeline.fromBinary(bytes), bytes };
}

function expectNoSecret(text: string): void {
  for (const secret of [SECRET, SECRET.replace('whsec_', ''), PLACE]) expect(text).not.toContain(secret);
}

test('the job that Beam submits: our container, our options, our steps, and nothing of records or secrets', async () => {
  const { code, output } = await submit({
    jobName: 'kappa-0123',
    labels: ['step-key=0123'],
    numWorkers: 1,
    maxNumWorkers: 3,
    machineType: 'n2-standard-2',
    diskSizeGb: 30,
    usePublicIps: false,
    subnetwork: 'regions/europe-west1/subnetworks/cupel',
    region: 'europe-west1',
    serviceAccountEmail: 'cupel-dataflow@cupel-test.iam.gserviceaccount.com',
  });
  expect(`${code} ${code ? output : ''}`).toBe('0 ');
  const [created, ...later] = dataflow.requests.filter(({ path: of }) => !of.endsWith('/messages'));
  expect(created).toMatchObject({
    method: 'POST',
    path: '/sandbox/v1b3/projects/cupel-test/locations/europe-west1/jobs',
  });
  expect(later.length).toBeGreaterThan(1);
  expect(later.every(({ method }) => method === 'GET')).toBe(true);

  const job = JSON.parse(created?.body ?? '{}') as Job;
  expect(job).toMatchObject({
    name: 'kappa-0123',
    type: 1, // JOB_TYPE_BATCH
    labels: { 'step-key': '0123' },
    environment: {
      serviceAccountEmail: 'cupel-dataflow@cupel-test.iam.gserviceaccount.com',
      version: { job_type: 'FNAPI_BATCH' },
    },
  });
  expect(job.environment.tempStoragePrefix).toMatch(
    /^storage\.googleapis\.com\/cupel-ops\/dataflow\/temp\/kappa-0123\./,
  );
  expect(job.environment.experiments).toEqual(
    expect.arrayContaining(['use_sibling_sdk_workers', 'use_runner_v2', 'use_portable_job_submission', 'beam_fn_api']),
  );
  expect(job.environment.workerPools).toHaveLength(1);
  expect(job.environment.workerPools[0]).toMatchObject({
    kind: 'harness',
    numWorkers: 1,
    machineType: 'n2-standard-2',
    diskSizeGb: 30,
    subnetwork: 'regions/europe-west1/subnetworks/cupel',
    ipConfiguration: 2, // WORKER_IP_PRIVATE
    autoscalingSettings: { maxNumWorkers: 3 },
    workerHarnessContainerImage: IMAGE,
    sdkHarnessContainerImages: [
      {
        containerImage: IMAGE,
        useSingleCorePerContainer: true,
        capabilities: expect.arrayContaining(['beam:protocol:sibling_workers:v1']),
      },
    ],
  });
  expect(job.environment.workerPools[0]).not.toHaveProperty('packages'); // a worker installs nothing

  const { options } = job.environment.sdkPipelineOptions;
  expect(options.registered_node_modules).toEqual(
    expect.arrayContaining(['cupel/beam/fns', 'cupel/beam/sources/pull-fns']),
  );
  expect(options.cupel_environment).toEqual({
    ...Object.fromEntries(Object.entries(BUCKETS).filter(([name]) => name !== 'CUPEL_SILVER_BUCKET')),
    CUPEL_PROJECT: 'cupel-test',
    CUPEL_REGION: 'us-central1',
    CUPEL_STORAGE_ENDPOINT: ready.storageUrl,
  });

  const { graph, bytes } = await stagedGraph(job);
  const { transforms = {}, environments = {} } = graph.components ?? {};
  const names = Object.values(transforms).map(({ uniqueName }) => uniqueName);
  expect(names).toEqual(
    expect.arrayContaining(['kappa/parseBlocks', 'kappa/groupBlocks', 'kappa/mergeBlocks', 'kappa/publishManifest']),
  );
  const used = Object.values(environments).filter(({ urn }) => urn === 'beam:env:docker:v1');
  expect(Object.keys(environments)).toHaveLength(used.length);
  for (const { payload, dependencies } of used) {
    expect(DockerPayload.fromBinary(payload).containerImage).toBe(IMAGE);
    expect(dependencies).toEqual([]);
  }
  const parse = Object.values(transforms).find(({ uniqueName }) => uniqueName === 'kappa/parseBlocks');
  const { doFn } = ParDoPayload.fromBinary(parse?.spec?.payload ?? new Uint8Array());
  expect(doFn?.urn).toBe('beam:dofn:serialized_js_dofn_info:v1');
  const written = Buffer.from(doFn?.payload ?? []).toString('latin1');
  const uris = ready.arguments.map((argument) => argument.replace(/^--\w+=/, ''));
  for (const part of ['beam:cupel/beam/fns.ParseBlocks.prototype', ...uris]) expect(written).toContain(part);
  expect(bytes.toString('latin1')).toContain(ready.chunk.objects[0]?.name);
  expectNoSecret(`${JSON.stringify(dataflow.requests)} ${bytes.toString('latin1')} ${output}`);
}, 240_000);

test('the template: its launcher has the graph staged and the job written, and submits nothing itself', async () => {
  const before = dataflow.requests.length;
  const template = 'gs://cupel-ops/dataflow/staging/template_launches/1/job_object';
  const { code, output } = await run(toolPath('dataflowPython'), [
    path.join(PROJECT, 'beam/deploy/launcher.py'),
    ...ready.arguments,
    '--runner=DataflowRunner',
    '--project=cupel-test',
    '--region=us-east4',
    '--job_name=kappa-template',
    '--labels={"step-key": "4567"}',
    '--num_workers=2',
    '--service_account_email=cupel-dataflow@cupel-test.iam.gserviceaccount.com',
    '--no_use_public_ips',
    '--no_auth',
    '--temp_location=gs://cupel-ops/flex/temp',
    '--staging_location=gs://cupel-ops/flex/staging',
    `--template_location=${template}`,
  ]);
  expect(`${code} ${code ? output : ''}`).toBe('0 ');
  expect(dataflow.requests.length).toBe(before);
  const job = JSON.parse((await ready.store.read(template)).toString()) as Job;
  expect(job).toMatchObject({
    name: 'kappa-template',
    type: 'JOB_TYPE_BATCH',
    labels: { 'step-key': '4567' },
    environment: {
      workerPools: [
        { kind: 'harness', numWorkers: 2, ipConfiguration: 'WORKER_IP_PRIVATE', workerHarnessContainerImage: IMAGE },
      ],
    },
  });
  expect(job.environment.tempStoragePrefix).toContain('/cupel-ops/flex/temp/kappa-template.');
  const { graph } = await stagedGraph(job);
  expect(Object.values(graph.components?.transforms ?? {}).map(({ uniqueName }) => uniqueName)).toContain(
    'kappa/publishManifest',
  );
}, 240_000);

test('options arrive in Python as doubles; our entry of the job service makes them whole again', async () => {
  const script = [
    'import sys, apache_beam.runners.job.utils as utils',
    'from google.protobuf.struct_pb2 import Struct',
    'sys.path.insert(0, sys.argv[1])',
    'from dataflow_job_service import whole',
    'struct = Struct(); struct.update({"num_workers": 3, "share": 0.5, "list": [1, True, "a"]})',
    'print(repr(utils.struct_to_dict(struct)), repr(whole(utils.struct_to_dict(struct))))',
  ].join('\n');
  const { output } = await run(toolPath('dataflowPython'), ['-c', script, path.join(PROJECT, 'beam/runners')]);
  expect(output).toMatch(/'num_workers': 3\.0[,}]/);
  expect(output).toMatch(/'num_workers': 3[,}]/);
}, 120_000);

test('a job that Google refuses ends with what it said', async () => {
  dataflow.refuse({ code: 403, message: 'Required dataflow.jobs.create permission', status: 'PERMISSION_DENIED' });
  const { code, output } = await submit({ jobName: 'kappa-refused' });
  dataflow.refuse(undefined);
  expect(code).toBe(1);
  expect(output).toContain("code: 'CUP_BEAM_JOB_FAILED'");
  expect(output).toContain('Required dataflow.jobs.create permission');
}, 240_000);

test('of a batch that is published already the template gets a graph without steps', async () => {
  const { chunk, deltas } = ready;
  const { table, batchId, source, contractHash, rulesVersion, fingerprint } = chunk;
  const none = { recordsIn: 0, quarantined: 0, reduced: 0, rows: 0 };
  await deltas.writeManifest({
    version: 1,
    ...{ batchId, table, source, contractHash, rulesVersion, fingerprint },
    ...none,
    files: [],
    quarantine: [],
    byPartition: chunk.partitions.map((partition) => ({ ...partition, ...none })),
  });
  const template = 'gs://cupel-ops/dataflow/staging/template_launches/2/job_object';
  const { code, output } = await submit({ jobName: 'kappa-again', templateLocation: template });
  expect(`${code} ${code ? output : ''}`).toBe('0 ');
  const job = JSON.parse((await ready.store.read(template)).toString()) as Job;
  const { graph } = await stagedGraph(job);
  const names = Object.values(graph.components?.transforms ?? {}).map(({ uniqueName }) => uniqueName);
  expect(names.length).toBeGreaterThan(0);
  expect(names.filter((name) => name.startsWith('kappa'))).toEqual([]);
}, 240_000);
