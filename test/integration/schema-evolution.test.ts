import { afterAll, beforeAll, expect, test } from 'vitest';
import { exportTable } from '../../src/lakehouse/committer/index.ts';
import { countFields } from '../../src/starter/verbs/contract/fields.ts';
import { publishedContract } from '../../src/lakehouse/published-contract.ts';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { compact } from '../../src/lakehouse/committer/index.ts';
import type { Manifest } from '../../src/lakehouse/deltas/index.ts';
import { IcebergTable } from '../../src/lakehouse/iceberg/index.ts';
import type { PipelineResult } from '../../src/workflows/pipeline.ts';
import type { Lake } from '../support/lake.ts';
import { startLakeWorkflows } from '../support/lake-workflows.ts';
import type { LakeWorkflows } from '../support/lake-workflows.ts';
import { tableRows } from '../support/table-rows.ts';
import { exportText, readWithDuckDb, readWithPyIceberg } from '../support/silver-readers.ts';

let lakehouse: LakeWorkflows;
let lake: Lake;

beforeAll(async () => {
  lakehouse = await startLakeWorkflows();
  ({ lake } = lakehouse);
});
afterAll(() => lakehouse.stop());

const DAY = { from: '2025-01-01T00:00:00Z', to: '2025-01-02T00:00:00Z' };

const quake = (id: string, updated: number, extra: object = {}, outside: object = {}) => ({
  type: 'Feature',
  id,
  properties: { mag: 1.5, time: 1_700_000_000_000, updated, tsunami: 0, tz: null, ...extra },
  geometry: { type: 'Point', coordinates: [1, 2, -0.5] },
  ...outside,
});

/** The earthquakes contract with a policy, on a table of its own and with all refusals allowed. */
const withPolicy = (policy: string, table: string) => (yaml: string) =>
  yaml
    .replace(
      '  - property: ignoredFields',
      `  - { property: unknownFields, value: ${policy} }\n  - property: ignoredFields`,
    )
    .replace('table: earthquakes,', `table: ${table},`)
    .replace('maxShare: 0.01', 'maxShare: 1');

let runs = 0;
const pipeline = (): Promise<PipelineResult> =>
  lakehouse.run<PipelineResult>('pipeline', { source: 'earthquakes', ...DAY }, `pipeline/${(runs += 1)}`);

const inForce = async (): Promise<CompiledContract> => {
  const contract = await publishedContract({ store: lake.store, opsBucket: 'cupel-ops' }, 'earthquakes');
  if (!contract) throw new Error('expected a contract in force');
  return contract;
};

async function exported(contract: CompiledContract): Promise<Record<string, unknown>[]> {
  let text = '';
  for await (const piece of exportTable(lake, contract)) text += piece;
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Manifests of the table, in order of publishing. */
async function manifests(table: string): Promise<Manifest[]> {
  const found: Manifest[] = [];
  for await (const { uri } of lake.store.list(`gs://cupel-ops/_deltas/silver.${table}/`))
    if (/\/silver\.\w+\/[0-9a-f]{64}\.json$/.test(uri))
      found.push(JSON.parse(String(await lake.store.read(uri))) as Manifest);
  return found;
}

test('evolve: a new member becomes a nullable column, old files are read with null in it, and nothing is rewritten', async () => {
  await lakehouse.declare('earthquakes', withPolicy('evolve', 'evolving'), true);
  await lakehouse.landPoll('2025-01-01T03', 1_700_000_100_000, [quake('a', 10), quake('b', 10)]);
  await pipeline();
  const before = await inForce();
  const load = async () => {
    const table = await IcebergTable.load(lake.catalog, lake.store, 'silver', 'evolving');
    if (!table) throw new Error('expected the table');
    return table;
  };
  const oldFields = (await load()).schema.fields;

  const news = { depthType: 'estimated', felt2: 3, Flag: true, mixed: 1, gone: null, nested: { b: 1, a: [2] } };
  await lakehouse.landPoll('2025-01-01T05', 1_700_000_200_000, [
    quake('c', 5, news, { bbox: [1, 2] }),
    quake('d', 5, { mixed: 'text', tsunami: 1 }),
  ]);
  const { batches } = await pipeline();
  expect(batches).toMatchObject({ committed: 1 });

  const after = await inForce();
  const added = after.columns
    .slice(before.columns.length)
    .map(({ name, type, required }) => ({ name, type, required }));
  expect(added).toEqual([
    { name: 'bbox', type: 'string', required: false },
    { name: 'flag', type: 'boolean', required: false },
    { name: 'depth_type', type: 'string', required: false },
    { name: 'felt2', type: 'double', required: false },
    { name: 'mixed', type: 'string', required: false },
    { name: 'nested', type: 'string', required: false },
  ]);
  const rows = await exported(after);
  const pick = (id: string) => {
    const { bbox, flag, depth_type, felt2, mixed, nested } = rows.find((row) => row.event_id === id) ?? {};
    return { bbox, flag, depth_type, felt2, mixed, nested };
  };
  const none = { bbox: null, flag: null, depth_type: null, felt2: null, mixed: null, nested: null };
  expect(pick('a')).toEqual(none);
  expect(pick('c')).toEqual({
    bbox: '[1,2]',
    flag: true,
    depth_type: 'estimated',
    felt2: 3,
    mixed: '1',
    nested: '{"a":[2],"b":1}',
  });
  expect(pick('d')).toEqual({ ...none, mixed: '"text"' });

  // Column ids: those that were there stay, new ones are greater than all; and no old file was touched.
  const table = await load();
  const last = Math.max(...oldFields.map(({ id }) => id));
  expect(table.schema.fields.slice(0, oldFields.length)).toEqual(oldFields);
  expect(table.schema.fields.slice(oldFields.length).map(({ id }) => id)).toEqual(
    [1, 2, 3, 4, 5, 6].map((n) => last + n),
  );
  expect(table.snapshots.map(({ summary }) => summary['deleted-data-files'])).toEqual(['0', '0']);

  // The field whose every value was null tells no type: it is counted and has no column yet.
  const counted = (await manifests('evolving')).flatMap(({ unknownFields = [] }) => unknownFields);
  expect(counted).toEqual([{ field: 'properties.gone', records: 1 }]);
});

test('evolve: merging into old files, compacting and reading again keep the values of every column', async () => {
  // `a` of the first poll gets a new version with the new column: its file, which lacks the column, is rewritten.
  await lakehouse.landPoll('2025-01-01T06', 1_700_000_300_000, [
    quake('a', 30, { felt2: 7 }),
    quake('e', 1, { gone: 'x' }),
  ]);
  await pipeline();
  const contract = await inForce();
  expect(contract.columns.at(-1)).toMatchObject({ name: 'gone', type: 'string', required: false });
  const shown = (rows: Record<string, unknown>[]) => rows.map(({ event_id, felt2, gone }) => [event_id, felt2, gone]);
  const expected = [
    ['a', 7, null],
    ['b', null, null],
    ['c', 3, null],
    ['d', null, null],
    ['e', null, 'x'],
  ];
  const rows = await exported(contract);
  expect(shown(rows)).toEqual(expected);
  await compact(lake, contract, { minFiles: 2 });
  expect(await exported(contract)).toEqual(rows);
  const text = await exportText(lake, contract);
  expect(await readWithPyIceberg(lake, 'evolving')).toBe(text);
  expect(await readWithDuckDb(lake, 'evolving')).toBe(text);

  // The same records all at once, into a table that never had fewer columns: the same rows, whatever came first.
  const evolved = await tableRows(lake, contract);
  await lakehouse.declare('earthquakes', withPolicy('evolve', 'evolving_at_once'), true);
  await pipeline();
  const atOnce = await inForce();
  const byName = (row: string) => Object.entries(JSON.parse(row) as object).sort(([a], [b]) => (a < b ? -1 : 1));
  expect((await tableRows(lake, atOnce)).map(byName)).toEqual(evolved.map(byName));
});

test('discard_value, the default: rows are kept without it, and each field is counted', async () => {
  await lakehouse.declare('earthquakes', withPolicy('discard_value', 'discarding'), true);
  await pipeline();
  const contract = await inForce();
  expect(await exported(contract)).toHaveLength(5);
  expect(contract.columns.map(({ name }) => name)).not.toContain('felt2');
  const batches = new Set((await manifests('discarding')).map(({ batchId }) => batchId));
  const settled = await lakehouse.ledger.latest('earthquakes', ['batch']);
  const counted = countFields(settled.filter(({ subject }) => batches.has(subject)));
  expect(counted.map(({ field, records }) => [field, records])).toEqual([
    ['properties.felt2', 2],
    ['properties.gone', 2],
    ['properties.mixed', 2],
    ['bbox', 1],
    ['properties.Flag', 1],
    ['properties.depthType', 1],
    ['properties.nested', 1],
  ]);
});

test('discard_row: records with a member that the contract does not know are quarantined, the others are kept', async () => {
  await lakehouse.declare('earthquakes', withPolicy('discard_row', 'strict'), true);
  await pipeline();
  expect((await exported(await inForce())).map(({ event_id }) => event_id)).toEqual(['a', 'b']);
  const reasons = (await manifests('strict')).flatMap(({ quarantine }) => quarantine);
  expect(reasons).toEqual([{ reasonCode: 'unknown_field', count: 4 }]);
});

test('freeze: partitions with such a member fail by name, the others are committed', async () => {
  await lakehouse.declare('earthquakes', withPolicy('freeze', 'frozen'), true);
  await expect(pipeline()).rejects.toMatchObject({
    cause: {
      type: 'CUP_PARTITIONS_FAILED',
      message: expect.stringContaining('all_hour/2025-01-01T05 (CUP_SCHEMA_FROZEN)') as string,
    },
  });
  expect((await exported(await inForce())).map(({ event_id }) => event_id)).toEqual(['a', 'b']);
  const states = await lakehouse.ledger.latest('earthquakes', ['partition']);
  expect(Object.fromEntries(states.map(({ subject, state }) => [subject, state]))).toEqual({
    'all_hour/2025-01-01T03': 'done',
    'all_hour/2025-01-01T05': 'failed',
    'all_hour/2025-01-01T06': 'failed',
  });
});
