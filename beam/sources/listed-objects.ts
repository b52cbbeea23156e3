import type { PCollection, Root } from 'apache-beam';
import type { ChunkObject } from '../../src/lakehouse/deltas/index.ts';
import { beam } from '../sdk.ts';
import { inLanes } from './lanes.ts';

/** The source of a batch: objects of Bronze that the plan listed. */
export function listedObjects(objects: ChunkObject[]): (root: Root) => PCollection<string> {
  return (root) => root.apply(beam.create(inLanes(objects).map((object) => JSON.stringify(object))));
}
