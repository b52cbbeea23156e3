import { readFileSync } from 'node:fs';
import type { Facet } from './types.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Version of Cupel. */
export const VERSION = version;

/** Who says all this. */
export const PRODUCER = `urn:cupel:${version}`;

/** Version of OpenLineage that events are written in. */
const SPEC = 'https://openlineage.io/spec/2-0-2/OpenLineage.json';

export const RUN_EVENT = `${SPEC}#/$defs/RunEvent`;
export const JOB_EVENT = `${SPEC}#/$defs/JobEvent`;

/** Definition of each facet by its key in an event, and the version that ours are written in. */
const DEFINITIONS = {
  catalog: ['1-1-0', 'CatalogDatasetFacet'],
  columnLineage: ['1-2-0', 'ColumnLineageDatasetFacet'],
  dataQualityAssertions: ['1-1-0', 'DataQualityAssertionsDatasetFacet'],
  datasetType: ['1-0-1', 'DatasetTypeDatasetFacet'],
  errorMessage: ['1-0-1', 'ErrorMessageRunFacet'],
  externalQuery: ['1-0-2', 'ExternalQueryRunFacet'],
  inputStatistics: ['1-0-0', 'InputStatisticsInputDatasetFacet'],
  jobType: ['2-0-4', 'JobTypeJobFacet'],
  lifecycleStateChange: ['1-0-1', 'LifecycleStateChangeDatasetFacet'],
  nominalTime: ['1-0-1', 'NominalTimeRunFacet'],
  outputStatistics: ['1-0-2', 'OutputStatisticsOutputDatasetFacet'],
  parent: ['1-2-0', 'ParentRunFacet'],
  processing_engine: ['1-1-1', 'ProcessingEngineRunFacet'],
  schema: ['1-2-0', 'SchemaDatasetFacet'],
  sql: ['1-1-0', 'SQLJobFacet'],
  storage: ['1-0-1', 'StorageDatasetFacet'],
  symlinks: ['1-0-1', 'SymlinksDatasetFacet'],
  version: ['1-0-1', 'DatasetVersionDatasetFacet'],
} as const;

/** Key of a facet that Cupel writes. */
export type FacetKey = keyof typeof DEFINITIONS;

/** Makes a facet; what it must hold is in the specification, and tests check it against that. */
export function facet(key: FacetKey, members: Record<string, unknown>): Facet {
  const [of, name] = DEFINITIONS[key];
  const _schemaURL = `https://openlineage.io/spec/facets/${of}/${name}.json#/$defs/${name}`;
  return { _producer: PRODUCER, _schemaURL, ...members };
}

/** Facets under their keys; those that are undefined are left out. */
export function facets(given: Partial<Record<FacetKey, Record<string, unknown> | undefined>>): Record<string, Facet> {
  const known = Object.entries(given).filter(([, members]) => members !== undefined);
  return Object.fromEntries(known.map(([key, members]) => [key, facet(key as FacetKey, members ?? {})]));
}
