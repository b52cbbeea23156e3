import pLimit from 'p-limit';
import { assembleContract, tableName } from '../../contracts/index.ts';
import type { CompiledContract } from '../../contracts/index.ts';
import { logFolder } from '../append-log/index.ts';
import { commitWaiting, MAX_GROUP } from '../committer/commit-waiting.ts';
import type { CommitterResources } from '../committer/commit-waiting.ts';
import { contractUri as uriOf, publishContract } from '../contract-store.ts';
import { deleteAll } from '../delete-all.ts';
import { IcebergTable } from '../iceberg/index.ts';

/** Objects deleted at once. */
const AT_ONCE = 16;

/** A workflow that made a shadow: once it is closed, upkeep drops what it left behind. */
export interface ShadowRun {
  workflowId: string;
  /** The first run of the chain. */
  runId: string;
}

/** A table that holds again what Bronze gives, to be compared and dropped; beside it lie its batches. */
export interface Shadow {
  /** Full name, such as `silver.earthquakes__parity_x`. */
  table: string;
  /** URI of its contract. */
  contractUri: string;
  /** URI of the contract that it computes again. */
  pinnedUri: string;
  /** Full name of the table that it is compared with. */
  of: string;
  run: ShadowRun;
}

/** What shadows are made in. */
export interface ShadowResources extends CommitterResources {
  opsBucket: string;
}

const shadowPrefix = (table: string): string => `${table}__parity_`;

const deltasOf = (opsBucket: string, table: string): string => `gs://${opsBucket}/_deltas/${table}/`;

/** Says that a shadow is there: written before anything else of it, and deleted last. */
const describedAt = (opsBucket: string, table: string): string => `${deltasOf(opsBucket, table)}shadow.json`;

/** Where the table's files are; remembered before the catalog forgets it. */
const locatedAt = (opsBucket: string, table: string): string => `${deltasOf(opsBucket, table)}location.txt`;

/**
 * The contract that computes another one again into a table of its own. Rows come out the same: what differs besides the table is
 * only what would hold a batch back, since every accepted record is to be compared. Pure.
 *
 * @param suffix of the table's name: lower-case letters and digits
 */
export function shadowContract(pinned: CompiledContract, suffix: string): CompiledContract {
  const holdsBack = pinned.unknownFields === 'evolve' || pinned.unknownFields === 'freeze';
  return assembleContract({
    ...pinned,
    sink: { ...pinned.sink, table: shadowPrefix(pinned.sink.table) + suffix },
    quarantine: { maxShare: 1 },
    ...(holdsBack ? { unknownFields: 'discard_value' as const } : {}),
    shadowOf: pinned.hash,
  });
}

/**
 * Publishes the contract of a run's shadow under its own hash, never into force. Safe to repeat.
 *
 * @param pinnedUri URI of the contract to compute again
 */
export async function openShadow(
  { store, opsBucket }: Pick<ShadowResources, 'store' | 'opsBucket'>,
  pinned: CompiledContract,
  pinnedUri: string,
  run: ShadowRun,
): Promise<Shadow> {
  const contract = shadowContract(pinned, run.runId.replace(/[^a-z0-9]/g, ''));
  const contractUri = uriOf(opsBucket, contract.source, contract.hash);
  const shadow = { table: tableName(contract), contractUri, pinnedUri, of: tableName(pinned), run };
  await store.create(describedAt(opsBucket, shadow.table), JSON.stringify(shadow), 'application/json');
  await publishContract(store, opsBucket, contract);
  return shadow;
}

/**
 * Commits batches of the shadow as the committer does those of any table; nobody else writes it. Safe to repeat.
 *
 * @returns the newest snapshot of the shadow; null: it holds nothing, or it is a log
 */
export async function commitShadow(
  resources: CommitterResources,
  contract: CompiledContract,
  batchIds: readonly string[],
): Promise<string | null> {
  for (let at = 0; at < batchIds.length; at += MAX_GROUP)
    await commitWaiting(resources, contract, batchIds.slice(at, at + MAX_GROUP));
  return newestSnapshot(resources, contract);
}

/** The newest snapshot of a contract's table; null: it holds nothing, or it is a log. */
export async function newestSnapshot(
  { catalog, store }: Pick<CommitterResources, 'catalog' | 'store'>,
  { sink }: CompiledContract,
): Promise<string | null> {
  if (sink.kind === 'append-log') return null;
  const newest = (await IcebergTable.load(catalog, store, sink.namespace, sink.table))?.current;
  return newest ? String(newest['snapshot-id']) : null;
}

async function dropTable({ catalog, store, opsBucket }: ShadowResources, shadow: Shadow): Promise<void> {
  const [namespace = '', name = ''] = shadow.table.split('.');
  const located = locatedAt(opsBucket, shadow.table);
  const table = await IcebergTable.load(catalog, store, namespace, name);
  if (table) await store.create(located, table.metadata.location);
  await catalog.dropTable(namespace, name);
  const location = await store.readIfExists(located);
  if (location) await deleteAll(store, `${location.toString('utf8')}/`);
}

/** Chunks of the shadow's batches: no job reads them again. */
async function deleteChunks({ store, deltas, opsBucket }: ShadowResources, { table }: Shadow): Promise<void> {
  const limit = pLimit(AT_ONCE);
  const settled = await deltas.listSettled(table);
  await Promise.all(
    settled.map(({ batchId }) => limit(() => store.delete(`gs://${opsBucket}/chunks/${batchId}.json`))),
  );
}

/**
 * Drops a shadow without purge and deletes its files, batches and contract. Safe to repeat after any crash: what says that the
 * shadow is there goes last.
 */
export async function dropShadow(resources: ShadowResources, shadow: Shadow): Promise<void> {
  const { store, opsBucket, silverBucket } = resources;
  const [namespace = '', table = ''] = shadow.table.split('.');
  await dropTable(resources, shadow);
  await deleteAll(store, logFolder(silverBucket, { sink: { namespace, table } }));
  await deleteChunks(resources, shadow);
  const described = describedAt(opsBucket, shadow.table);
  await deleteAll(store, deltasOf(opsBucket, shadow.table), (uri) => uri === described);
  await store.delete(shadow.contractUri);
  await store.delete(described);
}

/** The shadows of a contract's table. */
export async function listShadows(
  { store, opsBucket }: Pick<ShadowResources, 'store' | 'opsBucket'>,
  contract: CompiledContract,
): Promise<Shadow[]> {
  const prefix = `gs://${opsBucket}/_deltas/${shadowPrefix(tableName(contract))}`;
  const shadows: Shadow[] = [];
  for await (const { uri } of store.list(prefix))
    if (uri.endsWith('/shadow.json')) shadows.push(JSON.parse((await store.read(uri)).toString('utf8')) as Shadow);
  return shadows;
}
