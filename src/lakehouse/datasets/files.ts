import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { cupelError } from '../../errors.ts';
import { identifier, literal, Scratch } from '../committer/scratch.ts';
import { csvHeader, csvLine } from './csv.ts';
import { loadDataset } from './load.ts';
import { splitRows } from './native-table.ts';
import type { SplitRows } from './native-table.ts';
import type { DatasetResources, DatasetSource } from './source.ts';
import type { SplitPercents } from './split.ts';

export type FileFormat = 'csv' | 'parquet';

/** Rows of one file at most: files that a laptop opens, far below Vertex AI's 10 GB. */
export const ROWS_PER_FILE = 1_000_000;

/** What `manifest.json` says; it is written last, so an export without one is not whole. */
export interface DatasetManifest {
  version: 1;
  source: string;
  format: FileFormat;
  /** Snapshot id, or the time of Gold's table as a name. */
  sourceVersion: string;
  /** RFC 3339: when the content came to be. */
  sourceTime: string;
  key: readonly string[];
  splitColumn: string;
  percents: SplitPercents;
  /** Columns in order, with DuckDB's names of types. */
  schema: { name: string; type: string }[];
  rows: number;
  splits: SplitRows;
  /** Names within the folder. */
  files: { name: string; rows: number; bytes: number; sha256: string }[];
}

interface Column {
  name: string;
  type: string;
}

interface Part {
  rows: number;
  bytes: Buffer;
}

const isTimestamp = ({ type }: Column): boolean => type.startsWith('TIMESTAMP');

async function csvPart(scratch: Scratch, columns: Column[], range: string): Promise<Part> {
  const shown = columns.map((column) => ({ name: column.name, timestamp: isTimestamp(column) }));
  const select = columns.map((column) =>
    isTimestamp(column) ? `epoch_us(${identifier(column.name)})` : identifier(column.name),
  );
  const pieces = [Buffer.from(csvHeader(shown))];
  let count = 0;
  for await (const rows of scratch.stream(`select ${select.join(', ')} from dataset where ${range} order by rowid`)) {
    pieces.push(Buffer.from(rows.map((row) => csvLine(shown, row)).join('')));
    count += rows.length;
  }
  return { rows: count, bytes: Buffer.concat(pieces) };
}

async function parquetPart(scratch: Scratch, range: string): Promise<Part> {
  const file = scratch.path('parquet');
  await scratch.run(
    `copy (select * from dataset where ${range} order by rowid) to ${literal(file)} (format parquet, compression zstd)`,
  );
  const [row] = await scratch.query(`select count(*) as n from dataset where ${range}`);
  return { rows: Number(row?.n), bytes: await readFile(file) };
}

/** Writes an object once; the same bytes again are no conflict. */
async function createOnce(resources: DatasetResources, uri: string, bytes: Buffer, contentType: string): Promise<void> {
  const { outcome } = await resources.store.create(uri, bytes, contentType);
  if (outcome === 'exists' && !(await resources.store.read(uri)).equals(bytes))
    throw cupelError('CUP_DATASET_REFUSED', { expected: 'a folder without another export', uri });
}

/**
 * Writes the live rows of a source as files of a new folder, `<to>/<source>/<version>/<format>/`, and its manifest last.
 *
 * @param to `gs://bucket` or `gs://bucket/folder`
 * @param rowsPerFile default {@link ROWS_PER_FILE}
 * @throws CupelError CUP_DATASET_REFUSED when the folder holds another export, such as one of other percents
 */
export async function writeDatasetFiles(
  resources: DatasetResources,
  source: DatasetSource,
  format: FileFormat,
  to: string,
  splitColumn: string,
  percents: SplitPercents,
  rowsPerFile = ROWS_PER_FILE,
): Promise<{ uri: string; manifest: DatasetManifest }> {
  if (!/^gs:\/\/[^/]+/.test(to))
    throw cupelError('CUP_DATASET_REFUSED', { expected: 'gs://bucket or gs://bucket/folder', found: to });
  const folder = `${to.replace(/\/+$/, '')}/${source.name}/${source.version}/${format}`;
  return Scratch.use(resources.store, async (scratch) => {
    await loadDataset(scratch, resources, source, splitColumn, percents);
    const columns = (await scratch.query('describe dataset')).map((row) => ({
      name: String(row.column_name),
      type: String(row.column_type),
    }));
    const counts = await scratch.query(
      `select ${identifier(splitColumn)} as split, count(*) as n from dataset group by 1`,
    );
    const splits = splitRows(counts as { split: unknown; n: unknown }[]);
    const rows = splits.TRAIN + splits.VALIDATE + splits.TEST;
    const files: DatasetManifest['files'] = [];
    for (let start = 0; start === 0 || start < rows; start += rowsPerFile) {
      const range = `rowid >= ${start} and rowid < ${start + rowsPerFile}`;
      const part = format === 'csv' ? await csvPart(scratch, columns, range) : await parquetPart(scratch, range);
      const name = `part-${String(files.length).padStart(5, '0')}.${format}`;
      await createOnce(
        resources,
        `${folder}/${name}`,
        part.bytes,
        format === 'csv' ? 'text/csv' : 'application/vnd.apache.parquet',
      );
      files.push({
        name,
        rows: part.rows,
        bytes: part.bytes.length,
        sha256: createHash('sha256').update(part.bytes).digest('hex'),
      });
    }
    const { name, version, time, key } = source;
    const manifest: DatasetManifest = {
      version: 1,
      source: name,
      format,
      sourceVersion: version,
      sourceTime: time,
      key,
      splitColumn,
      percents,
      schema: columns,
      rows,
      splits,
      files,
    };
    const uri = `${folder}/manifest.json`;
    await createOnce(resources, uri, Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`), 'application/json');
    return { uri, manifest };
  });
}
