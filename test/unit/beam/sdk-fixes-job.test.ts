import { expect, test, vi } from 'vitest';
import { withFixes } from '../../support/sdk-process.ts';

// Each test starts processes, one with the fix and one without.
vi.setConfig({ testTimeout: 150_000 });

// Fixes of how a job is handed to a runner.

/** A staging service that needs nothing and says so as Prism does: a status, and no headers before it. */
const OFFER = `
  require('apache-beam');
  const grpc = require('@grpc/grpc-js');
  const { GrpcTransport } = require(require.resolve('@protobuf-ts/grpc-transport', { paths: [require.resolve('apache-beam')] }));
  const { ArtifactStagingServiceClient } = require('apache-beam/proto/beam_artifact_api.client');
  const { offerArtifacts } = require('apache-beam/runners/artifacts');
  const artifacts = require('apache-beam/runners/artifacts');
  const bytes = (value) => value;
  const server = new grpc.Server();
  const ended = Promise.withResolvers();
  server.addService(
    { offer: { path: '/org.apache.beam.model.job_management.v1.ArtifactStagingService/ReverseArtifactRetrievalService',
        requestStream: true, responseStream: true, requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes } },
    { offer: (call) => call.on('data', () => { STATUS; ended.resolve(); }) });
  const port = await new Promise((resolve) => server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (_, bound) => resolve(bound)));
  const client = new ArtifactStagingServiceClient(new GrpcTransport({ host: '127.0.0.1:' + port, channelCredentials: grpc.ChannelCredentials.createInsecure() }));
  const offered = artifacts.offerArtifacts(client, 'token', '/').then(() => 'offered', (error) => error.message);
  const hangs = ended.promise.then(() => new Promise((resolve) => setTimeout(resolve, 1_000, 'hangs')));
  tell(await Promise.race([offered, hangs]));`;

test('offer-artifacts: a runner that needs no artifact and sends no headers does not hang the job', () => {
  const body = OFFER.replace('STATUS', 'call.end()');
  expect(withFixes({}, body).told).toBe('hangs');
  expect(withFixes({ 'offer-artifacts': 'installOfferArtifacts' }, body).told).toBe('offered');
});

test('offer-artifacts: a runner that refuses fails the offer', () => {
  const body = OFFER.replace('STATUS', "call.emit('error', { code: 5, details: 'no such token' })");
  expect(withFixes({ 'offer-artifacts': 'installOfferArtifacts' }, body).told).toContain('no such token');
});

/** Hands in a pipeline with an environment that leaves a choice; tells the environment that reached the job service. */
const submit = (environmentType: string) => `
  require('apache-beam');
  const { PortableRunner } = require('apache-beam/runners/portable_runner/runner');
  const api = require('apache-beam/proto/beam_runner_api');
  const environment = (urn, dependencies) => api.Environment.create({ urn, dependencies, capabilities: ['beam:coder:row:v1'] });
  const deferred = [api.ArtifactInformation.create({ typeUrn: 'beam:artifact:type:deferred:v1' })];
  const choices = [environment('beam:env:docker:v1', deferred), environment('beam:env:external:v1', deferred)].map((of) => api.Environment.toBinary(of));
  const payload = new Uint8Array(Buffer.concat(choices.flatMap((bytes) => [Buffer.from([10, bytes.length]), bytes])));
  const java = api.Environment.create({ urn: 'beam:env:anyof:v1', payload, dependencies: deferred });
  const pipeline = api.Pipeline.create({ components: api.Components.create({ environments: { java } }) });
  const runner = new PortableRunner({ jobEndpoint: 'none:0', environmentType: '${environmentType}' });
  runner.client = { prepare: ({ pipeline }) => { const { urn, dependencies, capabilities } = pipeline.components.environments.java; tell({ urn, deferred: dependencies.length, capabilities }); return { response: new Promise(() => {}) }; } };
  await runner.runPipelineWithProto(pipeline);`;

const FIX = { 'external-environments': 'installExternalEnvironments' };

test('external-environments: of several environments that of a running worker is taken, and no artifact is deferred', () => {
  const several = { urn: 'beam:env:anyof:v1', deferred: 1, capabilities: [] };
  expect(withFixes({}, submit('LOOPBACK')).told).toEqual(several);
  const external = { urn: 'beam:env:external:v1', deferred: 0, capabilities: ['beam:coder:row:v1'] };
  expect(withFixes(FIX, submit('LOOPBACK')).told).toEqual(external);
  expect(withFixes(FIX, submit('DOCKER')).told).toEqual(several);
});

test('one-grpc: a client of a job service can be made where two versions of gRPC are installed', () => {
  const body = `
    require('apache-beam');
    const { PortableRunner } = require('apache-beam/runners/portable_runner/runner');
    try { await new PortableRunner({ jobEndpoint: 'none:0' }).getClient(); tell('made'); } catch (error) { tell(error.message); }`;
  expect(withFixes({}, body).told).toBe('Channel credentials must be a ChannelCredentials object');
  expect(withFixes({ 'one-grpc': 'installOneGrpc' }, body).told).toBe('made');
});

test('lazy-pubsub: the old Pub/Sub client is loaded when its message type is asked for, and not before', () => {
  const body = `
    require('apache-beam');
    const loaded = () => Object.keys(require.cache).some((file) => file.includes('/google-gax/'));
    const before = loaded();
    const sdk = require('node:module').createRequire(require.resolve('apache-beam'));
    const { PubsubMessage } = sdk('@google-cloud/pubsub').protos.google.pubsub.v1;
    const bytes = PubsubMessage.encode({ messageId: '7' }).finish();
    tell({ before, after: loaded(), id: PubsubMessage.decode(bytes).messageId });`;
  expect(withFixes({}, body).told).toMatchObject({ before: true });
  const told = { before: false, after: true, id: '7' };
  expect(withFixes({ 'lazy-pubsub': 'installLazyPubsub' }, body).told).toEqual(told);
});
