export { lowerBound, upperBound } from './bounds.ts';
export { layoutFor } from './layout.ts';
export type { Layout, WantedLayout } from './layout.ts';
export { RestCatalog } from './rest-catalog.ts';
export type { CatalogAnswer, NewTable, RestCatalogOptions } from './rest-catalog.ts';
export type { Change } from './snapshot-writer.ts';
export { IcebergTable } from './table.ts';
export type { ByField, DataFile, Snapshot, TableMetadata, TableSchema } from './types.ts';
