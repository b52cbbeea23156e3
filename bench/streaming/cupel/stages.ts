import { stat } from 'node:fs/promises';
import type { DeltaStore } from '../../../src/lakehouse/deltas/index.ts';
import { GROUP_PROPERTY } from '../../../src/lakehouse/committer/commit-waiting.ts';
import { median } from '../memory.ts';
import type { SeenSnapshot } from './silver-watch.ts';

/** What messages wait for on their way, in order. */
export const STAGES = ['batch', 'process', 'wait for the committer', 'merge', 'commit and be seen'] as const;
export type StageName = (typeof STAGES)[number];

/** How long one of them takes, milliseconds. */
export interface Stage {
  name: StageName;
  medianMs: number;
  maxMs: number;
}

/** Times of one batch, milliseconds since 1970. */
export interface BatchTimes {
  /** Its oldest and its newest message were published. */
  oldest: number;
  newest: number;
  manifest: number;
  /** The committer took it up. */
  group: number;
  /** Its snapshot was made, which is when the merge had ended. */
  snapshot: number;
  seen: number;
}

/** The way of each batch's oldest message, told apart. */
export function stagesOf(batches: readonly BatchTimes[]): Stage[] {
  const spans: Record<StageName, (times: BatchTimes) => number> = {
    batch: ({ oldest, newest }) => newest - oldest,
    process: ({ newest, manifest }) => manifest - newest,
    'wait for the committer': ({ manifest, group }) => group - manifest,
    merge: ({ group, snapshot }) => snapshot - group,
    'commit and be seen': ({ snapshot, seen }) => seen - snapshot,
  };
  return STAGES.map((name) => {
    const all = batches.map(spans[name]);
    return { name, medianMs: median(all), maxMs: all.reduce((a, b) => Math.max(a, b), 0) };
  });
}

/** What the times are read from. */
interface Sources {
  deltas: DeltaStore;
  table: string;
  /** Path of the file that an object is: its time is when it was written. */
  fileOf(uri: string): string;
  /** Folder of the table's manifests and groups, as URI. */
  folder: string;
}

const writtenMs = async (file: string): Promise<number> => (await stat(file)).mtimeMs;

/** Reads the times of all batches that snapshots hold. */
export async function batchTimes(sources: Sources, snapshots: readonly SeenSnapshot[]): Promise<BatchTimes[]> {
  const { deltas, table, fileOf, folder } = sources;
  const all: BatchTimes[] = [];
  for (const { snapshot, seenMs: seen } of snapshots) {
    const groupId = snapshot.summary[GROUP_PROPERTY];
    const group = groupId && (await deltas.readGroup(table, groupId));
    if (!group) continue;
    const taken = await writtenMs(fileOf(`${folder}/groups/${groupId}.json`));
    for (const batchId of group.batchIds) {
      const { stream } = (await deltas.readManifest(table, batchId)) ?? {};
      if (!stream) continue;
      const [oldest, newest] = [Date.parse(stream.oldest), Date.parse(stream.newest)];
      const manifest = await writtenMs(fileOf(`${folder}/${batchId}.json`));
      all.push({ oldest, newest, manifest, group: taken, snapshot: snapshot['timestamp-ms'], seen });
    }
  }
  return all;
}
