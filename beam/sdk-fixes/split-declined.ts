import { answerInstructions } from './worker.ts';

// A runner may ask to split a bundle that has just ended; the SDK answers with an error, and the job fails after all its output
// was right. To decline is always allowed, and our elements are big and few: nothing is won by a split.

/** Declines every split. */
export function installSplitDeclined(): void {
  answerInstructions('processBundleSplit', () => ({ primaryRoots: [], residualRoots: [], channelSplits: [] }));
}
