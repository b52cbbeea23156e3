import { parentPort, workerData } from 'node:worker_threads';
import { cupelError } from '../../src/errors.ts';
import { storageClient } from '../../src/gcp/clients.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { readContract } from '../../src/lakehouse/contract-store.ts';
import { DeltaStore } from '../../src/lakehouse/deltas/index.ts';
import { ObjectStore } from '../../src/lakehouse/object-store.ts';
import { BundleParser } from './bundle-parser.ts';
import { mergeBlocks } from './merge-blocks.ts';
import type { Answers, JobParameters, Question } from './messages.ts';

// A worker thread of the job: it reads Bronze, applies the rules and writes blocks and deltas, so that parsing uses every core.

const parameters = workerData as JobParameters;

async function start() {
  const environment = readEnvironment();
  const store = new ObjectStore(await storageClient(environment));
  const deltas = new DeltaStore(store, environment.buckets.ops);
  const [contract, chunk] = await Promise.all([
    readContract(store, parameters.contract),
    deltas.readChunk(parameters.chunk),
  ]);
  if (chunk.contractHash !== contract.hash)
    throw cupelError('CUP_CONTRACT_INVALID', { expected: chunk.contractHash, found: contract.hash });
  return { environment, store, deltas, contract, chunk, parsers: new Map<string, BundleParser>() };
}

type Resources = Awaited<ReturnType<typeof start>>;

function parserOf(resources: Resources, bundle: string): BundleParser {
  const { contract, store, environment, chunk, parsers } = resources;
  let parser = parsers.get(bundle);
  if (!parser) {
    parser = new BundleParser({
      contract,
      store,
      bronze: environment.buckets.bronze,
      quarantine: environment.buckets.quarantine,
      batchId: chunk.batchId,
      stage: parameters.stage,
    });
    parsers.set(bundle, parser);
  }
  return parser;
}

async function answer(resources: Resources, question: Question): Promise<Answers[Question['op']]> {
  switch (question.op) {
    case 'parse':
      await parserOf(resources, question.bundle).parse(question.object);
      return null;
    case 'flush': {
      const finished = await parserOf(resources, question.bundle).finish();
      resources.parsers.delete(question.bundle);
      return finished;
    }
    case 'merge':
      return mergeBlocks(resources, question.bucket, question.blocks);
  }
}

const resources = start();
resources.catch(() => undefined); // the first question reports it

parentPort?.on('message', ({ id, question }: { id: number; question: Question }) => {
  resources
    .then((ready) => answer(ready, question))
    .then(
      (result) => parentPort?.postMessage({ id, result }),
      (error: unknown) => parentPort?.postMessage({ id, error: String((error as Error).stack ?? error) }),
    );
});
