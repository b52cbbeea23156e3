import type { PCollection, Root } from 'apache-beam';
import type { PullWindow } from '../../src/lakehouse/pull/index.ts';
import { beam, groupTexts, step } from '../sdk.ts';
import type { KeyedText } from '../sdk.ts';
import type { JobParameters } from '../threads/messages.ts';
import { FixLanded, LandWindows } from './pull-fns.ts';

/**
 * The source of a chunk that pulls: each window is asked for and landed in Bronze, and then the objects that lie there go on as
 * those of any other batch. Between the two stands a GroupByKey, so that nothing is parsed before all has landed.
 */
export function pulledObjects(parameters: JobParameters, windows: PullWindow[]): (root: Root) => PCollection<string> {
  return (root) => {
    const asked = root.apply(beam.create(windows.map((window) => JSON.stringify(window))));
    const landed = step<string, KeyedText>('landWindows', asked, new LandWindows(parameters));
    return step('fixLanded', groupTexts('groupLanded', landed), new FixLanded(parameters));
  };
}
