import type { CompiledContract } from '../../contracts/index.ts';
import { sameColumns, schemaFacet } from '../columns.ts';
import { deltasDataset, icebergFacets, readWith, storageDataset, writtenWith } from '../datasets.ts';
import type { Places, SilverTable, Statistics } from '../datasets.ts';
import { facets } from '../facets.ts';
import type { Work } from '../runs.ts';
import type { Facets, OutputDataset } from '../types.ts';

/** The place that batches are committed to: an Iceberg table, or the folder of a log, `gs://…`. */
export type SilverPlace = { table: SilverTable } | { log: string };

/** What a commit did. */
export interface Committed {
  /** Rows and bytes of the batches' deltas. */
  read: Statistics;
  written: Statistics;
  /** The newest snapshot that holds them; null: none was needed, or it is a log. */
  snapshotId: string | null;
}

function placeOf(places: Places, place: SilverPlace, snapshotId?: string): OutputDataset {
  if ('table' in place)
    return { ...storageDataset(place.table.location), facets: icebergFacets(places, place.table, snapshotId) };
  return { ...storageDataset(place.log), facets: facets({ datasetType: { datasetType: 'FILE' } }) };
}

/**
 * Deltas into Silver.
 *
 * @param kind `rebuild`: they replace all that was there
 * @param place undefined: there is no table yet
 */
export function commitWork(
  places: Places,
  contract: CompiledContract,
  kind: 'commit' | 'rebuild' | 'audit',
  place: SilverPlace | undefined,
  committed?: Committed,
): Work {
  const { sink, icebergSchema } = contract;
  const name = `${sink.namespace}.${sink.table}`;
  const deltas = deltasDataset(places, name);
  const columns: Facets = {
    schema: schemaFacet(icebergSchema.fields),
    columnLineage: sameColumns(icebergSchema.fields, deltas),
    ...(kind === 'rebuild' ? facets({ lifecycleStateChange: { lifecycleStateChange: 'OVERWRITE' } }) : {}),
  };
  const found = place && placeOf(places, place, committed?.snapshotId ?? undefined);
  const output = found && { ...found, facets: { ...found.facets, ...columns } };
  return {
    job: `${kind}.${name}`,
    type: 'TASK',
    inputs: [committed ? readWith(deltas, committed.read) : deltas],
    outputs: output ? [committed ? writtenWith(output, committed.written) : output] : [],
  };
}
