import type { CompiledContract } from '../../contracts/index.ts';
import { logFolder } from '../../lakehouse/append-log/index.ts';
import { ContractCache } from '../../lakehouse/contract-cache.ts';
import { loadContract } from '../../lakehouse/contract-store.ts';
import type { Done, Manifest } from '../../lakehouse/deltas/index.ts';
import { IcebergTable } from '../../lakehouse/iceberg/index.ts';
import type { Snapshot } from '../../lakehouse/iceberg/index.ts';
import type { Places, Statistics } from '../../lineage/datasets.ts';
import type { Committed, SilverPlace } from '../../lineage/jobs/commit.ts';
import type { ActivityResources } from '../resources.ts';

/** Milliseconds by which the clocks of Temporal and of a worker may differ. */
const CLOCKS_DIFFER_MS = 5_000;

const sum = <T>(of: readonly T[], number: (one: T) => number): number =>
  of.reduce((total, one) => total + number(one), 0);

/** Finds what events of lineage tell. */
export class LineageFacts {
  readonly places: Places;
  readonly #resources: ActivityResources;
  readonly #contracts: ContractCache;

  constructor(resources: ActivityResources) {
    const { environment, store } = resources;
    const { project, buckets, recordsTopic, catalog } = environment;
    this.#resources = resources;
    this.places = { project, buckets, recordsTopic, catalog };
    this.#contracts = new ContractCache(store, buckets.ops);
  }

  /** The contract of a hash; without one that of the source's file, as it is now. */
  async contract(source: string, hash?: string): Promise<CompiledContract> {
    return hash
      ? this.#contracts.get(source, hash)
      : loadContract(this.#resources.environment.contractsDirectory, source);
  }

  /** The contract of a URI, as far as contracts are named by their hash. */
  async contractAt(uri: string): Promise<CompiledContract> {
    const [, source = '', hash = ''] = /\/contracts\/([^/]+)\/([0-9a-f]{64})\.json$/.exec(uri) ?? [];
    return this.#contracts.get(source, hash);
  }

  /** An Iceberg table by its name in the catalog; undefined where there is none. */
  async table(namespace: string, name: string): Promise<IcebergTable | undefined> {
    const { catalog, store } = this.#resources;
    return IcebergTable.load(catalog, store, namespace, name);
  }

  /** Where the rows of a contract end. */
  silver(contract: CompiledContract, table: IcebergTable | undefined): SilverPlace | undefined {
    if (contract.sink.kind === 'append-log') return { log: logFolder(this.#resources.silverBucket, contract) };
    return table && { table: { namespace: table.namespace, name: table.name, location: table.metadata.location } };
  }

  /** Manifests of batches; one that is gone is left out. */
  async manifests(table: string, batchIds: readonly string[]): Promise<Manifest[]> {
    const { deltas } = this.#resources;
    const found = await Promise.all(batchIds.map((batchId) => deltas.readManifest(table, batchId)));
    return found.filter((manifest) => manifest !== undefined);
  }

  async dones(table: string, batchIds: readonly string[]): Promise<Done[]> {
    const { deltas } = this.#resources;
    const found = await Promise.all(batchIds.map((batchId) => deltas.readDone(table, batchId)));
    return found.filter((done) => done !== undefined);
  }
}

/** Rows, bytes and files of the deltas of batches. */
export function deltasRead(manifests: readonly Manifest[]): Statistics {
  const files = manifests.flatMap((manifest) => manifest.files);
  const size = sum(files, ({ bytes }) => bytes);
  return { rowCount: sum(manifests, ({ rows }) => rows), size, fileCount: files.length };
}

const added = (snapshots: readonly Snapshot[], property: string): number =>
  sum(snapshots, ({ summary }) => Number(summary[property] ?? 0));

/**
 * What one call of the committer did.
 *
 * @param table undefined: a log, whose objects are written whole, so that only bytes are known
 * @param sinceMs when the call was scheduled: what was committed before is not its doing
 */
export function committedBy(
  manifests: readonly Manifest[],
  dones: readonly Pick<Done, 'snapshotId' | 'groupId' | 'groupBytesWritten'>[],
  table: IcebergTable | undefined,
  sinceMs: number,
): Committed {
  const read = deltasRead(manifests);
  if (!table) return { read, written: { size: dones[0]?.groupBytesWritten ?? 0 }, snapshotId: null };
  const ids = new Set(dones.map(({ snapshotId }) => snapshotId));
  const holding = table.snapshots.filter((snapshot) => ids.has(String(snapshot['snapshot-id'])));
  const own = holding.filter((snapshot) => snapshot['timestamp-ms'] >= sinceMs - CLOCKS_DIFFER_MS);
  const written = {
    rowCount: added(own, 'cupel.inserted-rows') + added(own, 'cupel.updated-rows'),
    size: added(own, 'added-files-size'),
    fileCount: added(own, 'added-data-files'),
  };
  const newest = holding.at(-1) ?? table.current;
  return { read, written, snapshotId: newest ? String(newest['snapshot-id']) : null };
}
