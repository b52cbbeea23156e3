export { ROWS_PER_FILE, writeDatasetFiles } from './files.ts';
export type { DatasetManifest, FileFormat } from './files.ts';
export { makeNativeTable } from './native-table.ts';
export type { SplitRows } from './native-table.ts';
export { goldSource, silverSource } from './source.ts';
export type { DatasetResources, DatasetSource, GoldSource, SilverSource } from './source.ts';
export { readPercents, SPLITS, splitSql } from './split.ts';
export type { Dialect, Split, SplitPercents } from './split.ts';
