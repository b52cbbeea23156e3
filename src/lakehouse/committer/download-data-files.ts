import { cupelError } from '../../errors.ts';
import type { DataFile, TableSchema } from '../iceberg/index.ts';
import { avroToParquet } from './avro-data-file.ts';
import type { Scratch } from './scratch.ts';

/** Formats that are read. Only Parquet is written: others come from other engines, such as Spark. */
const READ = ['PARQUET', 'AVRO'];

/**
 * Copies live data files here as Parquet, whatever they are; the result has their local paths, in order.
 *
 * @throws CupelError CUP_TABLE_UNSUPPORTED for a file of another format, such as ORC
 */
export async function downloadDataFiles(
  scratch: Scratch,
  schema: TableSchema,
  files: readonly DataFile[],
): Promise<string[]> {
  const other = files.find((file) => !READ.includes(file.file_format.toUpperCase()));
  if (other) throw cupelError('CUP_TABLE_UNSUPPORTED', { file: other.file_path, format: other.file_format });
  return scratch.download(
    files.map((file) => file.file_path),
    (bytes, index) =>
      files[index]?.file_format.toUpperCase() === 'AVRO' ? avroToParquet(schema.fields, bytes) : bytes,
  );
}
