import type { DuckDBValue } from '@duckdb/node-api';
import { orderColumns, systemColumns } from '../../contracts/index.ts';
import type { Column, CompiledContract } from '../../contracts/index.ts';
import { identifier, readParquet, Scratch } from '../committer/scratch.ts';
import type { CommitterResources } from '../committer/commit-waiting.ts';
import { comparedColumns, provenanceColumns, selected, toJsonValue } from './columns.ts';
import { readTable } from './read-table.ts';
import type { HeldFile, HeldTable } from './read-table.ts';
import type { ObjectStore } from '../object-store.ts';
import { kindOf, MAY_HEAL } from './rules.ts';
import type { Rules } from './rules.ts';
import type { ComparedTable, Comparison, Difference, DifferenceKind, VersionOfKey } from './types.ts';

/** How two tables are compared. */
export interface CompareOptions extends Omit<Rules, 'contract'> {
  /** Most differences that are told; all are counted. Default 1,000. */
  limit?: number;
  /** Called now and then, to show that work goes on. */
  progress?(keys: number): void;
}

type Side = 'silver' | 'shadow';

/** The files of one bucket of a table, here. */
interface LocalSide {
  table: HeldTable;
  files: Map<string, HeldFile>;
}

interface Bucket {
  scratch: Scratch;
  rules: Rules;
  sides: Record<Side, LocalSide>;
}

const allColumns = (contract: CompiledContract): Column[] => [...contract.columns, ...systemColumns(contract)];

/** View of one row per key, the greatest, and how many there are. A log holds a record once in each hour that it landed in. */
function viewOf(alias: string, contract: CompiledContract, files: readonly string[]): string {
  const key = identifier(contract.key[0] ?? '');
  const hour = contract.sink.kind === 'append-log' ? ['_hour'] : [];
  const place = [key, ...hour].join(', ');
  const sorted = [...orderColumns(contract), ...hour].map((column) => `${identifier(column)} desc`);
  return `create view ${alias} as select * exclude (_nth) from (
    select *, row_number() over (partition by ${key} order by ${sorted.join(', ')}) as _nth,
      count(*) over (partition by ${place}) as _copies
    from ${readParquet(allColumns(contract), files)}) where _nth = 1`;
}

async function load(scratch: Scratch, table: HeldTable, files: HeldFile[]): Promise<LocalSide> {
  const local = await table.download(scratch, files);
  return { table, files: new Map(local.map((path, index) => [path, files[index] as HeldFile])) };
}

/** Table `compared`: each key of either side with the kind of its difference, null where there is none. */
async function compareKeys({ scratch, rules, sides }: Bucket): Promise<void> {
  const { contract } = rules;
  const key = identifier(contract.key[0] ?? '');
  await scratch.run(viewOf('v', contract, [...sides.silver.files.keys()]));
  await scratch.run(viewOf('s', contract, [...sides.shadow.files.keys()]));
  await scratch.run(`create table compared as
    select _key, kind, case when kind is not null then _silver_object end as v_bronze_object from (
      select coalesce(v.${key}, s.${key}) as _key, v._bronze_object as _silver_object, ${kindOf(rules)} as kind
      from v full join s on v.${key} = s.${key})`);
}

async function countInto({ scratch }: Bucket, found: Comparison): Promise<void> {
  const counted = await scratch.query(
    `select kind, count(*) as n, count(*) filter (${MAY_HEAL}) as may_heal from compared group by kind`,
  );
  for (const { kind, n, may_heal: mayHeal } of counted) {
    found.keys += Number(n);
    if (kind === null || kind === undefined) continue;
    const of = String(kind) as DifferenceKind;
    found.counts[of] = (found.counts[of] ?? 0) + Number(n);
    found.total += Number(n);
    found.mayHeal += Number(mayHeal);
  }
}

/** Columns of one side in the answer of {@link detailsSql}: those compared, provenance, then the local file. */
const sideColumns = (contract: CompiledContract): Column[] => [
  ...comparedColumns(contract),
  ...provenanceColumns(contract),
];

function detailsSql({ contract }: Rules, limit: number): string {
  const key = identifier(contract.key[0] ?? '');
  const side = (alias: string): string =>
    [...sideColumns(contract).map((column) => selected(alias, column)), `${alias}._file`].join(', ');
  return `select d._key, d.kind, ${side('v')}, ${side('s')}
    from (select * from compared where kind is not null order by _key limit ${limit}) d
    left join v on v.${key} = d._key left join s on s.${key} = d._key order by d._key`;
}

/** A version of a key from its part of an answer; null where the side has no row. */
async function versionOf(
  contract: CompiledContract,
  { table, files }: LocalSide,
  values: DuckDBValue[],
): Promise<VersionOfKey | null> {
  const held = files.get(String(values.at(-1)));
  if (!held) return null;
  const names = comparedColumns(contract);
  const entries = sideColumns(contract).map(
    (column, index) => [column.name, toJsonValue(column, values[index] ?? null)] as const,
  );
  const all = Object.fromEntries(entries);
  const { groupId } = held.writtenBy;
  return {
    row: Object.fromEntries(entries.slice(0, names.length)),
    provenance: {
      recordId: String(all._record_id),
      bronzeObject: String(all._bronze_object),
      contract: String(all._contract),
    },
    writtenBy: { ...held.writtenBy, batchIds: groupId ? await table.batchesOf(groupId) : [] },
  };
}

function differing(silver: VersionOfKey | null, shadow: VersionOfKey | null): string[] {
  if (!silver || !shadow) return [];
  return Object.keys(silver.row).filter((name) => silver.row[name] !== shadow.row[name]);
}

async function tell({ scratch, rules, sides }: Bucket, limit: number): Promise<Difference[]> {
  const { contract } = rules;
  const width = sideColumns(contract).length + 1;
  const told: Difference[] = [];
  for await (const rows of scratch.stream(detailsSql(rules, limit))) {
    for (const [key, kind, ...values] of rows) {
      const silver = await versionOf(contract, sides.silver, values.slice(0, width));
      const shadow = await versionOf(contract, sides.shadow, values.slice(width));
      const columns = differing(silver, shadow);
      told.push({ key: String(key), kind: String(kind) as DifferenceKind, columns, silver, shadow });
    }
  }
  return told;
}

/** Files of both sides by bucket; all together where the two are bucketed otherwise. */
function groups(sides: Record<Side, HeldTable>, sameBuckets: boolean): Record<Side, HeldFile[]>[] {
  const of = ({ files }: HeldTable) => Map.groupBy(files, ({ bucket }) => (sameBuckets ? bucket : 0));
  const grouped = { silver: of(sides.silver), shadow: of(sides.shadow) };
  const buckets = [...new Set([...grouped.silver.keys(), ...grouped.shadow.keys()])].sort((a, b) => a - b);
  return buckets.map((bucket) => ({
    silver: grouped.silver.get(bucket) ?? [],
    shadow: grouped.shadow.get(bucket) ?? [],
  }));
}

/**
 * Compares files that were listed, whatever listed them.
 *
 * @param sameBuckets whether a key is in the same bucket of both
 */
export async function compareHeld(
  store: ObjectStore,
  sides: Record<Side, HeldTable>,
  rules: Rules,
  {
    limit = 1_000,
    progress,
    sameBuckets = true,
  }: Pick<CompareOptions, 'limit' | 'progress'> & { sameBuckets?: boolean },
): Promise<Comparison> {
  const found: Comparison = { keys: 0, counts: {}, total: 0, mayHeal: 0, differences: [] };
  for (const files of groups(sides, sameBuckets)) {
    await Scratch.use(store, async (scratch) => {
      const local = {
        silver: await load(scratch, sides.silver, files.silver),
        shadow: await load(scratch, sides.shadow, files.shadow),
      };
      const bucket = { scratch, rules, sides: local };
      await compareKeys(bucket);
      await countInto(bucket, found);
      const left = limit - found.differences.length;
      if (found.total && left > 0) found.differences.push(...(await tell(bucket, left)));
    });
    progress?.(found.keys);
  }
  return found;
}

/**
 * Compares a table, or a log, with the shadow that was computed from Bronze in batch: all columns of the contract and those of the
 * Kappa law, key by key, a bucket at a time, so that one bucket's files are held at once. Provenance is shown and never compared.
 *
 * @param silver its contract says which columns are compared
 * @param options `range`: what the shadow holds, so that rows of other hours may win over it (docs/parity.md)
 * @throws CupelError CUP_SNAPSHOT_NOT_FOUND, CUP_TABLE_UNSUPPORTED
 */
export async function compareTables(
  resources: CommitterResources,
  silver: ComparedTable,
  shadow: ComparedTable,
  options: CompareOptions = {},
): Promise<Comparison> {
  const { limit, progress, ...of } = options;
  const sides = { silver: await readTable(resources, silver), shadow: await readTable(resources, shadow) };
  const sameBuckets = silver.contract.sink.bucketCount === shadow.contract.sink.bucketCount;
  const how = { sameBuckets, ...(limit === undefined ? {} : { limit }), ...(progress ? { progress } : {}) };
  return compareHeld(resources.store, sides, { contract: silver.contract, ...of }, how);
}
