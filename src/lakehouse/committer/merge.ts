import type { CompiledContract } from '../../contracts/index.ts';
import { bucketOf, orderColumns } from '../../contracts/index.ts';
import { cupelError } from '../../errors.ts';
import type { DeltaFile } from '../deltas/index.ts';
import type { DataFile, IcebergTable } from '../iceberg/index.ts';
import { bucketOfFile, writeDataFiles } from './data-file.ts';
import type { BucketRows } from './data-file.ts';
import { downloadDataFiles } from './download-data-files.ts';
import { identifier, literal, readParquet } from './scratch.ts';
import type { Scratch } from './scratch.ts';

/** What a merge wants to change; nothing is committed yet. */
export interface Merged {
  add: DataFile[];
  remove: Set<string>;
  /** Rows of new keys. */
  inserted: number;
  /** Rows of known keys whose maximum changed or whose first version fell. */
  updated: number;
}

/** `a` after `b` in the total order of the Kappa law. A comparison of rows compares column by column, left to right. */
function after(contract: CompiledContract, a: string, b: string): string {
  const of = (alias: string) =>
    `row(${orderColumns(contract)
      .map((column) => `${alias}.${identifier(column)}`)
      .join(', ')})`;
  return `${of(a)} > ${of(b)}`;
}

/** Table `incoming`: the deltas reduced to one row per key, with `_bucket`. */
export async function loadIncoming(scratch: Scratch, contract: CompiledContract, deltas: DeltaFile[]): Promise<void> {
  const files = await scratch.download(deltas.map((delta) => delta.uri));
  await scratch.run('create table delta_files (_file varchar, _bucket integer)');
  const values = files.map((file, index) => `(${literal(file)}, ${deltas[index]?.bucket})`);
  await scratch.run(`insert into delta_files values ${values.join(', ')}`);
  const key = identifier(contract.key[0] ?? '');
  const order = [...orderColumns(contract).map((column) => `${identifier(column)} desc`), '_record_id'].join(', ');
  await scratch.run(`
    create table incoming as
    select * exclude (_rank, _least) replace (_least as _first_version)
    from (
      select d.* exclude (_file), f._bucket,
        row_number() over (partition by ${key} order by ${order}) as _rank,
        min(_first_version) over (partition by ${key}) as _least
      from ${readParquet(contract.icebergSchema.fields, files)} d join delta_files f using (_file))
    where _rank = 1`);
}

/** Keys must be there, and in the bucket that the file says: a wrong one would hide its row from every later merge. */
export async function checkIncoming(scratch: Scratch, contract: CompiledContract): Promise<void> {
  const key = identifier(contract.key[0] ?? '');
  const required = contract.columns.filter((column) => column.required).map((column) => identifier(column.name));
  const [nulls] = await scratch.query(
    `select count(*) as n from incoming where ${required.map((name) => `${name} is null`).join(' or ')}`,
  );
  if (Number(nulls?.n))
    throw cupelError('CUP_DELTA_INVALID', { expected: 'required columns not null', rows: nulls?.n });
  let misplaced = 0;
  for await (const rows of scratch.stream(`select ${key}, _bucket from incoming`)) {
    for (const [value, bucket] of rows)
      if (bucketOf(String(value), contract.sink.bucketCount) !== bucket) misplaced += 1;
  }
  if (misplaced) throw cupelError('CUP_DELTA_INVALID', { expected: 'keys in their buckets', rows: misplaced });
}

/** Those of the files that hold an incoming key: one column of each tells, and most updates are of what came lately. */
async function holdersOf(scratch: Scratch, key: string, files: readonly string[]): Promise<string[]> {
  const names = files.map(literal).join(', ');
  const found = await scratch.query(`
    select distinct _file
    from (select ${key}, _file from read_parquet([${names}], filename = '_file')) semi join incoming using (${key})`);
  return found.map(({ _file }) => String(_file)).sort();
}

/** Table `existing`: of the live files of the buckets that deltas touch, the rows of incoming keys. */
async function loadExisting(
  scratch: Scratch,
  contract: CompiledContract,
  table: IcebergTable,
  live: DataFile[],
): Promise<Map<string, DataFile>> {
  const key = identifier(contract.key[0] ?? '');
  if (!live.length) {
    await scratch.run(`create table existing as select *, '' as _file from incoming where false`);
    return new Map();
  }
  const files = await downloadDataFiles(scratch, table.schema, live);
  const holders = await holdersOf(scratch, key, files);
  await scratch.run(
    `create table existing as select e.* from ${readParquet(table.schema.fields, holders)} e semi join incoming using (${key})`,
  );
  return new Map(files.map((file, index) => [file, live[index] as DataFile]));
}

/** Table `changed`: the new row of each known key whose maximum changes or whose first version falls. */
async function findChanges(scratch: Scratch, contract: CompiledContract): Promise<void> {
  const key = identifier(contract.key[0] ?? '');
  const wins = after(contract, 'i', 'e');
  const names = contract.icebergSchema.fields
    .map((field) => identifier(field.name))
    .filter((name) => name !== '"_first_version"');
  await scratch.run(`
    create table changed as
    select ${names.map((name) => `case when ${wins} then i.${name} else e.${name} end as ${name}`).join(', ')},
      least(i._first_version, e._first_version) as _first_version, e._file
    from incoming i join existing e on i.${key} = e.${key}
    where ${wins} or i._first_version < e._first_version`);
}

/**
 * Bytes up to which losing files of a bucket are rewritten as one, together with its new keys. To write a file costs as much as so many
 * bytes, and a stream that leaves 16 new files with each commit would soon rewrite hundreds of them in every one.
 */
const SMALL_FILE = 512 << 10;

/** A file to write: the rows of losing files as they are to be, and perhaps the new keys of the bucket. */
interface Rewrite {
  bucket: number;
  /** Local paths of losing files. */
  paths: string[];
  inserts: boolean;
}

/** Large files are rewritten each by itself; of a bucket's small ones and its new keys one file is made. */
function planRewrites(
  losing: readonly { path: string; file: DataFile }[],
  inserted: readonly number[],
  key: string,
): Rewrite[] {
  const isSmall = ({ file }: { file: DataFile }): boolean => file.file_size_in_bytes < SMALL_FILE;
  const large = losing
    .filter((one) => !isSmall(one))
    .map(({ path, file }): Rewrite => ({ bucket: bucketOfFile(file, key), paths: [path], inserts: false }));
  const small = Map.groupBy(losing.filter(isSmall), ({ file }) => bucketOfFile(file, key));
  const inserts = new Set(inserted);
  const joined = [...new Set([...small.keys(), ...inserted])]
    .sort((a, b) => a - b)
    .map((bucket): Rewrite => {
      return { bucket, paths: (small.get(bucket) ?? []).map(({ path }) => path), inserts: inserts.has(bucket) };
    });
  return [...large, ...joined];
}

function rowsOf(contract: CompiledContract, table: IcebergTable, { bucket, paths, inserts }: Rewrite): BucketRows {
  const key = contract.key[0] ?? '';
  const columns = table.schema.fields.map((field) => identifier(field.name)).join(', ');
  const selects: string[] = [];
  if (paths.length) {
    selects.push(
      `select ${columns} from ${readParquet(table.schema.fields, paths)} anti join changed using (${identifier(key)})`,
      `select ${columns} from changed where _file in (${paths.map(literal).join(', ')})`,
    );
  }
  if (inserts) selects.push(`select ${columns} from inserted where _bucket = ${bucket}`);
  return { bucket, select: selects.join(' union all ') };
}

/** Table `inserted`: rows of new keys. Returns their buckets. */
async function findInserted(scratch: Scratch, contract: CompiledContract): Promise<number[]> {
  const key = identifier(contract.key[0] ?? '');
  await scratch.run(`create table inserted as select * from incoming anti join existing using (${key})`);
  const buckets = await scratch.query('select distinct _bucket from inserted order by 1');
  return buckets.map(({ _bucket }) => Number(_bucket));
}

async function count(scratch: Scratch, table: string): Promise<number> {
  const [row] = await scratch.query(`select count(*) as n from ${table}`);
  return Number(row?.n);
}

/**
 * Merges deltas into a table by the Kappa law: copy-on-write per file. Only files that hold a losing row, or one whose
 * first version falls, are rewritten, small ones of a bucket as one; new keys go into that one, else into a new file; compaction
 * clusters them later.
 *
 * @throws CupelError CUP_DELTA_INVALID when a delta breaks what Silver promises
 */
export async function mergeDeltas(
  scratch: Scratch,
  contract: CompiledContract,
  table: IcebergTable,
  deltas: DeltaFile[],
): Promise<Merged> {
  if (!deltas.length) return { add: [], remove: new Set(), inserted: 0, updated: 0 };
  const key = contract.key[0] ?? '';
  await loadIncoming(scratch, contract, deltas);
  await checkIncoming(scratch, contract);
  const touched = new Set(deltas.map((delta) => delta.bucket));
  const live = (await table.dataFiles()).filter((file) => touched.has(bucketOfFile(file, key)));
  const byPath = await loadExisting(scratch, contract, table, live);
  await findChanges(scratch, contract);
  const losing = await scratch.query('select distinct _file from changed order by 1');
  const rewritten = losing.map(({ _file }) => {
    const file = byPath.get(String(_file));
    if (!file) throw cupelError('CUP_DELTA_INVALID', { expected: 'a changed row in a live file', file: String(_file) });
    return { path: String(_file), file };
  });
  const rewrites = planRewrites(rewritten, await findInserted(scratch, contract), key);
  const parts = rewrites.map((one) => rowsOf(contract, table, one));
  const add = await writeDataFiles(scratch, table, key, parts);
  const remove = new Set(rewritten.map(({ file }) => file.file_path));
  const updated = await count(scratch, 'changed');
  return { add, remove, inserted: await count(scratch, 'inserted'), updated };
}
