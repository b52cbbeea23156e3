import { parentPort, workerData } from 'node:worker_threads';
import { openContract } from '../job-resources.ts';
import { BundleParser } from './bundle-parser.ts';
import { noCounts } from './counts.ts';
import { mergeBlocks } from './merge-blocks.ts';
import type { Answers, BatchReference, Question } from './messages.ts';

// A worker thread of the job: it reads Bronze, applies the rules and writes blocks and deltas, so that parsing uses every core.

async function start() {
  return { ...(await openContract(workerData as string)), parsers: new Map<string, BundleParser>() };
}

type Resources = Awaited<ReturnType<typeof start>>;

function parserOf(resources: Resources, bundle: string, { batchId, stage }: BatchReference): BundleParser {
  const { contract, store, environment, parsers } = resources;
  let parser = parsers.get(bundle);
  if (!parser) {
    const { bronze, quarantine } = environment.buckets;
    parser = new BundleParser({ contract, store, bronze, quarantine, batchId, stage });
    parsers.set(bundle, parser);
  }
  return parser;
}

/** Of a bundle that this thread has parsed nothing of there is nothing to tell. */
async function flush({ parsers }: Resources, bundle: string): Promise<Answers['flush']> {
  const parser = parsers.get(bundle);
  parsers.delete(bundle);
  return parser ? parser.finish() : { blocks: [], counts: noCounts() };
}

async function answer(resources: Resources, question: Question): Promise<Answers[Question['op']]> {
  switch (question.op) {
    case 'parse':
      await parserOf(resources, question.bundle, question.batch).parse(question.element);
      return null;
    case 'flush':
      return flush(resources, question.bundle);
    case 'merge':
      return mergeBlocks(resources, question);
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
