import type { PCollection, Root } from 'apache-beam';
import { kappa } from '../pipeline.ts';
import { groupTexts, step } from '../sdk.ts';
import type { KeyedText } from '../sdk.ts';
import type { KappaParameters } from '../threads/messages.ts';
import { CutBatch, StageMessages } from './pane-fns.ts';
import { pubsubMessages } from './pubsub-read.ts';
import { intoWindows } from './windows.ts';
import type { WindowOptions } from './windows.ts';

/** What a stream on a portable runner is made of. */
export interface WindowedStreamOptions extends WindowOptions {
  /** Full name. */
  subscription: string;
  /** `host:port` of Beam's Java expansion service. */
  expansionService: string;
}

/** Seconds that a batch may be on its way from its window to its manifest: a runner drops what comes after a window's end and lateness. */
const IN_WORK_SECONDS = 7 * 86_400;

/**
 * The stream as a graph that never ends: messages into windows by the time of their publishing, each pane of a window one batch, and
 * each batch through the pipeline of every other batch.
 */
export function windowedStream(
  parameters: KappaParameters,
  options: WindowedStreamOptions,
): (root: Root) => Promise<PCollection<unknown>> {
  return async (root) => {
    const read = await pubsubMessages(options.subscription, options.expansionService)(root);
    const messages = intoWindows('intoWindows', read, options);
    const blocks = step<Uint8Array, KeyedText>('stageMessages', messages, new StageMessages(parameters));
    const panes = step<unknown, string>('cutBatch', groupTexts('groupPane', blocks), new CutBatch(parameters));
    // The same windows, but whatever has become part of a batch stays: late is what comes late from outside.
    const { allowedLatenessSeconds } = options;
    const inWork = { ...options, allowedLatenessSeconds: allowedLatenessSeconds + IN_WORK_SECONDS };
    return intoWindows('keepInWork', panes, inWork).apply(kappa(parameters));
  };
}
