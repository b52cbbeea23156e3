import { setTimeout as delay } from 'node:timers/promises';
import type { CompiledContract } from '../../../src/contracts/index.ts';
import { IcebergTable } from '../../../src/lakehouse/iceberg/index.ts';
import type { RestCatalog } from '../../../src/lakehouse/iceberg/index.ts';
import type { ObjectStore } from '../../../src/lakehouse/object-store.ts';

type Snapshot = NonNullable<IcebergTable['current']>;

/** A snapshot, and when a reader of the table saw it first, milliseconds since 1970. */
export interface SeenSnapshot {
  snapshot: Snapshot;
  seenMs: number;
}

/** Milliseconds between two looks: a snapshot is seen so much later at most. */
const LOOK_MS = 200;

/** Looks at a table as any reader does, and notes when it sees which snapshot. */
export class SilverWatch {
  readonly #seen = new Map<string, SeenSnapshot>();
  readonly #catalog: RestCatalog;
  readonly #store: ObjectStore;
  readonly #sink: CompiledContract['sink'];
  #table: IcebergTable | undefined;
  #stopped = false;
  readonly #ended: Promise<void>;

  constructor(catalog: RestCatalog, store: ObjectStore, { sink }: CompiledContract) {
    [this.#catalog, this.#store, this.#sink] = [catalog, store, sink];
    this.#ended = this.#run();
    this.#ended.catch(() => undefined); // it is awaited in stop()
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#table = await IcebergTable.load(this.#catalog, this.#store, this.#sink.namespace, this.#sink.table);
      const seenMs = Date.now();
      for (const snapshot of this.#table?.snapshots ?? []) {
        const id = String(snapshot['snapshot-id']);
        if (!this.#seen.has(id)) this.#seen.set(id, { snapshot, seenMs });
      }
      await delay(LOOK_MS);
    }
  }

  /** Ends looking; returns the snapshots that messages came with, in order. Compaction brings none. */
  async stop(): Promise<SeenSnapshot[]> {
    this.#stopped = true;
    await this.#ended;
    return [...this.#seen.values()].filter(({ snapshot }) => snapshot.summary.operation !== 'replace');
  }

  /** The data files that each snapshot added, by their URIs. */
  async addedFiles(snapshots: readonly SeenSnapshot[]): Promise<{ uri: string; seenMs: number }[]> {
    const known = new Set<string>();
    const added: { uri: string; seenMs: number }[] = [];
    for (const { snapshot, seenMs } of snapshots) {
      for (const { file_path: uri } of (await this.#table?.dataFiles(snapshot)) ?? []) {
        if (known.has(uri)) continue;
        known.add(uri);
        added.push({ uri, seenMs });
      }
    }
    return added;
  }
}
