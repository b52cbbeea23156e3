import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import pLimit from 'p-limit';
import type { ColumnType } from '../../contracts/index.ts';
import type { ObjectStore } from '../object-store.ts';

/** Limits of one merge. */
export interface ScratchOptions {
  /** DuckDB's memory, such as `1GB`; beyond it DuckDB spills to the scratch folder. Default 1GB. */
  memoryLimit?: string;
  /** DuckDB's threads. Default 2. */
  threads?: number;
}

/** Transfers at once: enough to hide latency, few enough to keep memory small. */
const TRANSFERS = 16;

/** A folder of its own with a DuckDB in it: files go in and out through our storage client, merges run on local files. */
export class Scratch {
  readonly #connection: DuckDBConnection;
  readonly #instance: DuckDBInstance;
  readonly #store: ObjectStore;
  readonly #limit = pLimit(TRANSFERS);
  readonly directory: string;
  #files = 0;

  private constructor(store: ObjectStore, directory: string, instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#store = store;
    this.directory = directory;
    this.#instance = instance;
    this.#connection = connection;
  }

  /** Runs work in a new scratch folder and removes it, however the work ends. */
  static async use<T>(
    store: ObjectStore,
    work: (scratch: Scratch) => Promise<T>,
    options: ScratchOptions = {},
  ): Promise<T> {
    const directory = await mkdtemp(path.join(tmpdir(), 'cupel-'));
    try {
      await mkdir(path.join(directory, 'spill'));
      const instance = await DuckDBInstance.create(':memory:', {
        memory_limit: options.memoryLimit ?? '1GB',
        threads: String(options.threads ?? 2),
        temp_directory: path.join(directory, 'spill'),
      });
      const connection = await instance.connect();
      const scratch = new Scratch(store, directory, instance, connection);
      try {
        return await work(scratch);
      } finally {
        connection.closeSync();
        scratch.#instance.closeSync();
      }
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  /** A new path in the scratch folder. */
  path(extension: string): string {
    this.#files += 1;
    return path.join(this.directory, `${this.#files}.${extension}`);
  }

  /**
   * Copies objects here; the result has their local paths, in order.
   *
   * @param toParquet makes Parquet of the object at an index. Default: it is Parquet
   */
  async download(
    uris: readonly string[],
    toParquet: (bytes: Buffer, index: number) => Uint8Array | Promise<Uint8Array> = (bytes) => bytes,
  ): Promise<string[]> {
    return Promise.all(
      uris.map((uri, index) =>
        this.#limit(async () => {
          const file = this.path('parquet');
          await writeFile(file, await toParquet(await this.#store.read(uri), index));
          return file;
        }),
      ),
    );
  }

  /** Copies a local file to a new object; returns its size in bytes. */
  async upload(file: string, uri: string): Promise<number> {
    return this.#limit(async () => {
      const bytes = await readFile(file);
      await this.#store.create(uri, bytes, 'application/vnd.apache.parquet');
      return bytes.length;
    });
  }

  /** Runs a statement. */
  async run(sql: string): Promise<void> {
    await this.#connection.run(sql);
  }

  /** Runs a query and returns its rows by column name. */
  async query(sql: string): Promise<Record<string, DuckDBValue>[]> {
    const reader = await this.#connection.runAndReadAll(sql);
    return reader.getRowObjects();
  }

  /** Runs a query and hands on its rows chunk by chunk, for results of any size. */
  async *stream(sql: string): AsyncGenerator<DuckDBValue[][]> {
    const result = await this.#connection.stream(sql);
    for (;;) {
      const chunk = await result.fetchChunk();
      if (!chunk || chunk.rowCount === 0) return;
      yield chunk.getRows();
    }
  }
}

/** A name in SQL. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text in SQL. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** DuckDB's types of columns. */
const DUCKDB_TYPES: Record<ColumnType, string> = {
  string: 'varchar',
  long: 'bigint',
  int: 'integer',
  double: 'double',
  boolean: 'boolean',
  timestamptz: 'timestamptz',
  binary: 'blob',
};

/**
 * Rows of local Parquet files with these columns, by name: what a file lacks is null, since the table had fewer columns when it was
 * written. `_file` is the path that a row came from. No files have no rows.
 */
export function readParquet(columns: readonly { name: string; type: ColumnType }[], files: readonly string[]): string {
  const nulls = columns.map(({ name, type }) => `null::${DUCKDB_TYPES[type]} as ${identifier(name)}`);
  if (!files.length) return `(select ${nulls.join(', ')}, null::varchar as _file where false)`;
  return `(select ${nulls.join(', ')} where false union all by name
    select * from read_parquet([${files.map(literal).join(', ')}], union_by_name = true, filename = '_file'))`;
}
