import type { PCollection } from 'apache-beam';
import { MergeBlocks, ParseBlocks, PublishManifest } from './fns.ts';
import { beam, groupTexts, step } from './sdk.ts';
import type { KeyedText } from './sdk.ts';
import type { KappaParameters } from './threads/messages.ts';

/**
 * The Kappa pipeline: objects of Bronze or blocks of messages, as JSON of SourceElement, become delta files and one manifest. It never commits.
 * Source, windowing and batch id are the caller's; everything else is the same for batch and stream.
 */
export function kappa(parameters: KappaParameters): (elements: PCollection<string>) => PCollection<unknown> {
  return beam.withName('kappa', (elements: PCollection<string>) => {
    const blocks = step<string, KeyedText>('parseBlocks', elements, new ParseBlocks(parameters));
    const parts = step<unknown, KeyedText>(
      'mergeBlocks',
      groupTexts('groupBlocks', blocks),
      new MergeBlocks(parameters),
    );
    return step('publishManifest', groupTexts('groupParts', parts), new PublishManifest(parameters));
  });
}
