import { parentPort, workerData } from 'node:worker_threads';
import { openJob } from '../job-resources.ts';
import { BundleParser } from './bundle-parser.ts';
import { mergeBlocks } from './merge-blocks.ts';
import type { Answers, JobParameters, Question } from './messages.ts';

// A worker thread of the job: it reads Bronze, applies the rules and writes blocks and deltas, so that parsing uses every core.

const parameters = workerData as JobParameters;

async function start() {
  return { ...(await openJob(parameters)), parsers: new Map<string, BundleParser>() };
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
