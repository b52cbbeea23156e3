import { tableName } from '../../contracts/index.ts';
import type { CompiledContract } from '../../contracts/index.ts';
import { cupelError } from '../../errors.ts';
import { deleteAll } from '../delete-all.ts';
import { groupId as groupIdOf } from '../deltas/index.ts';
import { IcebergTable } from '../iceberg/index.ts';
import { auditName, auditPrefix } from './audit-name.ts';
import { GROUP_PROPERTY, mergeAndCommit, outcomeOf, readManifests, UNCHANGED } from './commit-waiting.ts';
import type { CommitterResources, Outcome } from './commit-waiting.ts';
import { ensureSilverTable, evolveTable, TABLE_PROPERTIES } from './silver-table.ts';

/** Property of an audit table: full name of the table that is audited. */
export const AUDIT_OF_PROPERTY = 'cupel.audit-of';

/** Property of an audit table: the snapshot whose rows it began with; empty: the table held nothing. */
export const AUDIT_SNAPSHOT_PROPERTY = 'cupel.audit-snapshot-id';

/** Property of an audit table: the run that made it, `<first run id> <workflow id>`. */
export const AUDIT_RUN_PROPERTY = 'cupel.audit-run';

/** A workflow that makes an audit. */
export interface AuditRun {
  workflowId: string;
  /** The first run of the chain. */
  runId: string;
}

/** An audit table as a workflow names it. */
export interface Audit {
  /** Full name, such as `silver.earthquakes__audit_x`. */
  table: string;
  /** Full name of the table that is audited. */
  of: string;
  /** Snapshot of the audited table that the audit began with; null: it held nothing. */
  snapshotId: string | null;
}

/** What merging batches into an audit table did. */
export interface AuditMerge extends Omit<Outcome, 'groupId'> {
  /** Rows of new keys and of known keys that changed. */
  rowsChanged: number;
  /** Milliseconds since 1970 of the audit table's newest snapshot; 0: it holds nothing. */
  newestMs: number;
}

/** Beside the audited table's folder and never in it: a name that any attempt knows, also after the table was dropped. */
function auditLocation(main: IcebergTable, contract: CompiledContract, auditId: string): string {
  const own = main.metadata.location.replace(/\/+$/, '');
  return own + auditName(contract.sink.table, auditId).slice(contract.sink.table.length);
}

async function ensureTable(
  { catalog, store }: CommitterResources,
  contract: CompiledContract,
  main: IcebergTable,
  auditId: string,
  run: AuditRun | undefined,
): Promise<IcebergTable> {
  const { namespace, table } = contract.sink;
  const name = auditName(table, auditId);
  const metadata = await catalog.ensureTable(namespace, {
    name,
    location: auditLocation(main, contract, auditId),
    schema: main.schema,
    'partition-spec': main.spec,
    properties: {
      ...TABLE_PROPERTIES,
      [AUDIT_OF_PROPERTY]: tableName(contract),
      [AUDIT_SNAPSHOT_PROPERTY]: main.current ? String(main.current['snapshot-id']) : '',
      ...(run ? { [AUDIT_RUN_PROPERTY]: `${run.runId} ${run.workflowId}` } : {}),
      // Foreign engines must never purge what it lists: most of it is the audited table's.
      'gc.enabled': 'false',
    },
  });
  const audit = new IcebergTable(catalog, store, namespace, name, metadata);
  checkTwin(main, audit);
  return audit;
}

/** Files find their columns by field id, so a catalog that numbered them anew would mix them up. */
function checkTwin(main: IcebergTable, audit: IcebergTable): void {
  const shape = ({ schema, spec }: IcebergTable) => ({
    columns: schema.fields.map(({ id, name, type }) => `${id} ${name} ${type}`).join(', '),
    partitions: spec.fields.map((field) => `${field['source-id']} ${field.name} ${field.transform}`).join(', '),
  });
  const expected = shape(main);
  const found = shape(audit);
  if (JSON.stringify(expected) === JSON.stringify(found)) return;
  const texts = { expected: JSON.stringify(expected), found: JSON.stringify(found) };
  throw cupelError('CUP_TABLE_SCHEMA', { table: `${audit.namespace}.${audit.name}`, ...texts });
}

/**
 * Makes the audit table of a contract's table: same columns and partitions, and a first snapshot that lists exactly the live
 * data files of the audited table, none of them copied. Safe to repeat.
 *
 * The audited table's own upkeep may take the snapshot away before the audit lists its files. So it is looked at once more
 * afterwards: if it is still there, every later sweep sees the audit; if not, the audit is dropped and begins anew.
 *
 * @param run whose audit it is: once that is closed, upkeep drops what it left behind
 * @throws CupelError CUP_COMMIT_CONFLICT when the snapshot went meanwhile, CUP_AUDIT_ID, CUP_TABLE_SCHEMA
 */
export async function createAuditTable(
  resources: CommitterResources,
  contract: CompiledContract,
  auditId: string,
  run?: AuditRun,
): Promise<Audit> {
  if (contract.sink.kind === 'append-log')
    throw cupelError('CUP_BACKFILL_INPUT', { publish: 'direct, since a log has no table that could be audited' });
  const main = await ensureSilverTable(resources.catalog, resources.store, contract);
  const audit = await ensureTable(resources, contract, main, auditId, run);
  const base = audit.metadata.properties?.[AUDIT_SNAPSHOT_PROPERTY] ?? '';
  const made = { table: `${audit.namespace}.${audit.name}`, of: tableName(contract), snapshotId: base || null };
  const begun = audit.snapshots.some((snapshot) => snapshot.summary[GROUP_PROPERTY]);
  if (!base || begun) return made;
  const snapshots = () => main.snapshots.find((snapshot) => String(snapshot['snapshot-id']) === base);
  const snapshot = snapshots();
  if (snapshot && !audit.current) {
    const add = await main.dataFiles(snapshot);
    await audit.commit({ operation: 'append', add, remove: new Set(), summary: { [AUDIT_SNAPSHOT_PROPERTY]: base } });
    await main.refresh();
  }
  if (snapshots()) return made;
  await dropAuditTable(resources, contract, auditId);
  throw cupelError('CUP_COMMIT_CONFLICT', { table: made.of, snapshot: base });
}

async function loadAudit(
  { catalog, store }: CommitterResources,
  contract: CompiledContract,
  auditId: string,
): Promise<IcebergTable | undefined> {
  const { namespace, table } = contract.sink;
  return IcebergTable.load(catalog, store, namespace, auditName(table, auditId));
}

/**
 * Merges batches of the audited table into the audit table by the Kappa law, as the committer will later merge them into the
 * audited one. It settles nothing, and repeating it changes nothing.
 *
 * @param batchIds at most MAX_GROUP
 * @throws CupelError CUP_AUDIT_MISSING, CUP_DELTA_INVALID, CUP_COMMIT_CONFLICT, CUP_COMMIT_UNKNOWN
 */
export async function mergeIntoAudit(
  resources: CommitterResources,
  contract: CompiledContract,
  auditId: string,
  batchIds: string[],
): Promise<AuditMerge> {
  const audit = await loadAudit(resources, contract, auditId);
  if (!audit) throw cupelError('CUP_AUDIT_MISSING', { of: tableName(contract), auditId });
  // Manifests never change, so a snapshot of the same batches holds them: an attempt whose answer was lost made it.
  const group = groupIdOf(batchIds);
  const known = audit.snapshots.find((snapshot) => snapshot.summary[GROUP_PROPERTY] === group);
  const outcome = known ? outcomeOf(known) : await mergeNew(resources, contract, audit, batchIds);
  const { snapshotId, inserted, updated, bytesWritten } = outcome;
  await audit.refresh();
  const newestMs = audit.current?.['timestamp-ms'] ?? 0;
  return { snapshotId, inserted, updated, bytesWritten, rowsChanged: inserted + updated, newestMs };
}

async function mergeNew(
  resources: CommitterResources,
  contract: CompiledContract,
  audit: IcebergTable,
  batchIds: string[],
): Promise<Outcome> {
  const manifests = await readManifests(resources.deltas, tableName(contract), batchIds);
  if (!manifests.length) return UNCHANGED;
  await evolveTable(contract, audit);
  return mergeAndCommit(resources, contract, audit, manifests);
}

/**
 * Drops an audit table without purge, then deletes the files of its own folder; never one that the audited table lists. Safe
 * to repeat: after a crash the folder is found by its name.
 *
 * @returns number of objects deleted
 */
export async function dropAuditTable(
  resources: CommitterResources,
  contract: CompiledContract,
  auditId: string,
): Promise<number> {
  const { catalog, store } = resources;
  const { namespace, table } = contract.sink;
  await catalog.dropTable(namespace, auditName(table, auditId));
  const main = await IcebergTable.load(catalog, store, namespace, table);
  if (!main) return 0;
  const needed = await main.referencedFiles();
  return deleteAll(store, `${auditLocation(main, contract, auditId)}/`, (uri) => needed.has(uri));
}

/** The audits of a contract's table, and whose they are. */
export async function listAudits(
  { catalog, store }: CommitterResources,
  contract: CompiledContract,
): Promise<{ auditId: string; run: AuditRun }[]> {
  const { namespace, table } = contract.sink;
  const main = await IcebergTable.load(catalog, store, namespace, table);
  const audits = (await main?.siblings(auditPrefix(table))) ?? [];
  return audits.flatMap(({ name, metadata }) => {
    const [, runId, workflowId] = /^(\S+) (.+)$/.exec(metadata.properties?.[AUDIT_RUN_PROPERTY] ?? '') ?? [];
    return runId && workflowId ? [{ auditId: name.slice(auditPrefix(table).length), run: { workflowId, runId } }] : [];
  });
}
