import type { CatalogAnswer, RestCatalog, Snapshot, TableMetadata } from '../../src/lakehouse/iceberg/index.ts';
import type { ObjectStore } from '../../src/lakehouse/object-store.ts';

/** Objects in memory: only what a table needs. */
export function memoryStore(): ObjectStore {
  const objects = new Map<string, Buffer>();
  const store: Pick<ObjectStore, 'create' | 'read' | 'readIfExists'> = {
    create(uri, bytes) {
      if (objects.has(uri)) return Promise.resolve({ outcome: 'exists' });
      objects.set(uri, Buffer.from(bytes as Uint8Array));
      return Promise.resolve({ outcome: 'created' });
    },
    read: (uri) => Promise.resolve(objects.get(uri) ?? Buffer.alloc(0)),
    readIfExists: (uri) => Promise.resolve(objects.get(uri)),
  };
  return store as ObjectStore;
}

interface Update {
  action: string;
  snapshot?: Snapshot;
  'snapshot-id'?: number | bigint;
  'snapshot-ids'?: (number | bigint)[];
}

/** A catalog of one table in memory, which checks and applies commits as the REST protocol says. */
export function memoryCatalog(metadata: TableMetadata): RestCatalog {
  const apply = (update: Update): void => {
    if (update.snapshot) {
      metadata.snapshots = [...(metadata.snapshots ?? []), update.snapshot];
      metadata['last-sequence-number'] = update.snapshot['sequence-number'];
      metadata['last-updated-ms'] = update.snapshot['timestamp-ms'];
    }
    if (update.action === 'set-snapshot-ref')
      metadata.refs = { main: { 'snapshot-id': update['snapshot-id'] ?? 0, type: 'branch' } };
    const gone = new Set((update['snapshot-ids'] ?? []).map(String));
    metadata.snapshots = (metadata.snapshots ?? []).filter((snapshot) => !gone.has(String(snapshot['snapshot-id'])));
  };
  const catalog: Pick<RestCatalog, 'loadTable' | 'commit'> = {
    loadTable: () => Promise.resolve(structuredClone(metadata)),
    commit(_namespace, _name, requirements, updates): Promise<CatalogAnswer> {
      const head = metadata.refs?.main?.['snapshot-id'] ?? null;
      const wanted = (requirements as { type: string; 'snapshot-id'?: number | bigint | null }[]).find(
        ({ type }) => type === 'assert-ref-snapshot-id',
      );
      if (String(wanted?.['snapshot-id']) !== String(head)) return Promise.resolve({ status: 409, body: {} });
      (updates as Update[]).forEach(apply);
      return Promise.resolve({ status: 200, body: {} });
    },
  };
  return catalog as RestCatalog;
}
