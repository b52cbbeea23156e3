export { ensureRawTable, RAW_DATASET, rawColumns } from './raw-table.ts';
export type { RawColumn } from './raw-table.ts';
