import type { CompiledContract } from '../contracts/index.ts';
import { facets } from './facets.ts';
import type { DatasetName, Facets, InputDataset, OutputDataset } from './types.ts';

/** Where datasets are. */
export interface Places {
  project: string;
  buckets: { bronze: string; ops: string; quarantine: string; inbox: string };
  /** Topic of the records of sources that have none of their own. */
  recordsTopic: string;
  catalog: { uri: string; warehouse: string; name: string };
}

/** An object or folder of Cloud Storage; the name is without the slashes around it. */
export function storageDataset(uri: string): DatasetName {
  const [, bucket = '', path = ''] = /^gs:\/\/([^/]+)\/?(.*)$/.exec(uri) ?? [];
  return { namespace: `gs://${bucket}`, name: path.replace(/\/$/, '') || '/' };
}

/** An address of the origin. OpenLineage names none for HTTP: as of other stores, the authority and the path. */
export function originDataset(url: string): DatasetName {
  const { origin, pathname } = new URL(url);
  return { namespace: origin, name: pathname };
}

/** The folder of a feed in Bronze: its objects are many, and it is one dataset. */
export const bronzeDataset = ({ buckets }: Places, source: string, feed: string): DatasetName =>
  storageDataset(`gs://${buckets.bronze}/${source}/${feed}`);

/** Records of a source that were refused. */
export const quarantineDataset = ({ buckets }: Places, source: string): DatasetName =>
  storageDataset(`gs://${buckets.quarantine}/${source}`);

/** What batches publish for a table. */
export const deltasDataset = ({ buckets }: Places, table: string): DatasetName =>
  storageDataset(`gs://${buckets.ops}/_deltas/${table}`);

/** A table, view or materialized view of BigQuery. */
export const bigqueryDataset = (project: string, dataset: string, table: string): DatasetName => ({
  namespace: 'bigquery',
  name: `${project}.${dataset}.${table}`,
});

const pubsub = (kind: 'topic' | 'subscription', project: string, name: string): DatasetName => ({
  namespace: 'pubsub',
  name: `${kind}:${project}:${name}`,
});

/** The topic that carries the records of a source. */
export const topicDataset = ({ project, recordsTopic }: Places, contract: CompiledContract): DatasetName =>
  pubsub('topic', project, contract.messaging?.topic ?? recordsTopic);

/** The topic of a streamed source, read through a subscription. */
export function streamedTopic(places: Places, contract: CompiledContract, subscription: string): InputDataset {
  const identifiers = [{ ...pubsub('subscription', places.project, subscription), type: 'SUBSCRIPTION' }];
  return {
    ...topicDataset(places, contract),
    facets: facets({ symlinks: { identifiers }, datasetType: { datasetType: 'TOPIC' } }),
  };
}

/** An Iceberg table of Silver as its catalog has it. */
export interface SilverTable {
  namespace: string;
  name: string;
  /** `gs://…`, the table's folder. */
  location: string;
}

/**
 * Facets of an Iceberg table: it is named by its location, as OpenLineage's own integrations do, and these say how the catalog and
 * BigQuery call it.
 *
 * @param snapshotId the version that is read or was written. Default: none is known
 */
export function icebergFacets({ project, catalog }: Places, table: SilverTable, snapshotId?: string): Facets {
  const full = `${table.namespace}.${table.name}`;
  const identifiers = [
    { namespace: catalog.uri, name: full, type: 'TABLE' },
    { namespace: 'bigquery', name: `${project}.${catalog.name}.${full}`, type: 'TABLE' },
  ];
  return facets({
    symlinks: { identifiers },
    datasetType: { datasetType: 'TABLE' },
    storage: { storageLayer: 'iceberg', fileFormat: 'parquet' },
    catalog: {
      framework: 'iceberg',
      type: 'rest',
      name: catalog.name,
      metadataUri: catalog.uri,
      warehouseUri: catalog.warehouse,
      source: 'cupel',
    },
    version: snapshotId === undefined ? undefined : { datasetVersion: snapshotId },
  });
}

/** Numbers of a dataset; what is not known is left out. */
export interface Statistics {
  rowCount?: number;
  /** Bytes. */
  size?: number;
  fileCount?: number;
}

/** A dataset with how much of it was read. */
export const readWith = (dataset: InputDataset, statistics: Statistics): InputDataset => ({
  ...dataset,
  inputFacets: facets({ inputStatistics: { ...statistics } }),
});

/** A dataset with how much of it was written. */
export const writtenWith = (dataset: OutputDataset, statistics: Statistics): OutputDataset => ({
  ...dataset,
  outputFacets: facets({ outputStatistics: { ...statistics } }),
});
