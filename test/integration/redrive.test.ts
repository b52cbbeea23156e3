import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CompiledContract } from '../../src/contracts/index.ts';
import { landFile } from '../../src/ingest/land-file.ts';
import { hourOf, listBronze } from '../../src/lakehouse/bronze/index.ts';
import { commitWaiting } from '../../src/lakehouse/committer/index.ts';
import { publishContract } from '../../src/lakehouse/contract-store.ts';
import { toChunk } from '../../src/lakehouse/planning/chunks.ts';
import { redriveId } from '../../src/workflows/ids.ts';
import type { RedriveInput, RedriveResult } from '../../src/workflows/redrive-messages.ts';
import { contractOf } from '../support/contracts.ts';
import { runKappaJob } from '../support/kappa-job.ts';
import type { Lake } from '../support/lake.ts';
import { startLakeWorkflows } from '../support/lake-workflows.ts';
import type { LakeWorkflows } from '../support/lake-workflows.ts';
import { tableRows } from '../support/table-rows.ts';

// The workflow with its real activities, real jobs, a real Cloud Storage server and a real Iceberg catalog. Temporal's time skips.

let lakehouse: LakeWorkflows;
let lake: Lake;

beforeAll(async () => {
  lakehouse = await startLakeWorkflows();
  ({ lake } = lakehouse);
});
afterAll(() => lakehouse.stop());

const redrive = (input: RedriveInput): Promise<RedriveResult> =>
  lakehouse.run<RedriveResult>('redrive', { ...input, by: 'somebody' }, redriveId(input.source, input.dryRun));

const rowsOf = (contract: CompiledContract): Promise<string[]> => tableRows(lake, contract);

const quake = (id: string, updated: number, named = true) => ({
  type: 'Feature',
  ...(named ? { id } : {}),
  properties: { mag: 1.5, time: 1_700_000_000_000, updated, tsunami: 0, url: `https://example.org/eventpage/${id}` },
  geometry: { type: 'Point', coordinates: [1, 2, -0.5] },
});

const DAY = { from: '2025-01-01T00:00:00Z', to: '2025-01-02T00:00:00Z' };
const URL_RULE = ', orLastPathSegmentOf: properties.url';
const lenient = (yaml: string): string => yaml.replace('maxShare: 0.01', 'maxShare: 0.8');

async function statesOf(kind: 'partition' | 'redrive' | 'quarantine' | 'file', source = 'earthquakes') {
  return lakehouse.ledger.latest(source, [kind]);
}

test('what a too strict contract refused is counted, re-driven once it is mended, and then nothing is left', async () => {
  const strict = await lakehouse.declare('earthquakes', (yaml) => lenient(yaml).replace(URL_RULE, ''));
  await lakehouse.landPoll('2025-01-01T03', 1_700_000_100_000, [quake('a', 10), quake('b', 10, false), '"no object"']);
  await lakehouse.landPoll('2025-01-01T05', 1_700_000_200_000, [
    quake('a', 20, false),
    quake('c', 5),
    quake('d', 7, false),
  ]);
  await lakehouse.landPoll('2025-01-01T07', 1_700_000_300_000, [quake('c', 6), 'nothing']);
  await lakehouse.run('pipeline', { source: 'earthquakes', ...DAY }, 'pipeline/strict');
  expect(await rowsOf(strict)).toHaveLength(2);
  expect(await statesOf('quarantine')).toMatchObject([
    { state: 'kept', detail: { quarantined: 5, reasons: { missing_required: 3, not_an_object: 2 } } },
  ]);

  // While the contract is as it was, a dry run says that nothing would come of it, and a run does nothing.
  const refused = await redrive({ source: 'earthquakes' });
  expect(refused).toMatchObject({ redriven: 0, counts: { quarantined: 5, accepted: 0, partitions: 3 } });

  const mended = await lakehouse.declare('earthquakes', lenient);
  const counted = await redrive({ source: 'earthquakes', dryRun: true });
  expect(counted.counts.byReason).toEqual([
    { reasonCode: 'missing_required', quarantined: 3, accepted: 3 },
    { reasonCode: 'not_an_object', quarantined: 2, accepted: 0 },
  ]);
  expect(counted.counts.byPartition).toEqual([
    { partition: 'all_hour/2025-01-01T03', quarantined: 2, accepted: 1 },
    { partition: 'all_hour/2025-01-01T05', quarantined: 2, accepted: 2 },
    { partition: 'all_hour/2025-01-01T07', quarantined: 1, accepted: 0 },
  ]);
  expect(await rowsOf(strict)).toHaveLength(2);

  // A part first, by its hours; the rest then.
  const filter = { reasons: ['missing_required'], from: '2025-01-01T05:00:00Z', to: '2025-01-01T06:00:00Z' };
  expect(await redrive({ source: 'earthquakes', filter })).toMatchObject({
    redriven: 2,
    batches: { committed: 1, unchanged: 0 },
  });
  expect(await redrive({ source: 'earthquakes', maxEntries: 1 })).toMatchObject({ redriven: 1, left: 0 });

  // The same as if the contract had never been too strict, in every column.
  const fresh = contractOf('earthquakes', (yaml) => lenient(yaml).replace('table: earthquakes', 'table: fresh'));
  await publishContract(lake.store, 'cupel-ops', fresh);
  const range = { from: new Date(DAY.from), to: new Date(DAY.to) };
  const all = toChunk(fresh, await listBronze(lake.store, 'cupel-bronze', fresh, range));
  expect((await runKappaJob(lake, all)).code).toBe(0);
  await commitWaiting(lake, fresh, [all.batchId]);
  const expected = await rowsOf(fresh);
  expect(expected).toHaveLength(4);
  expect(await rowsOf(mended)).toEqual(expected);

  // Each partition that was taken again is done by its own count; the one with nothing to gain was left alone.
  const partitions = new Map((await statesOf('partition')).map((state) => [state.subject, state]));
  expect(partitions.get('all_hour/2025-01-01T03')?.detail).toMatchObject({
    contractHash: mended.hash,
    recordsIn: 3,
    quarantined: 1,
  });
  expect(partitions.get('all_hour/2025-01-01T05')?.detail).toMatchObject({ contractHash: mended.hash, quarantined: 0 });
  expect(partitions.get('all_hour/2025-01-01T07')?.detail).toMatchObject({ contractHash: strict.hash });

  // Audited: who, how many by reason, and under which contracts.
  const audits = (await statesOf('redrive')).map(({ detail }) => detail);
  expect(audits.map(({ redriven }) => Number(redriven)).sort()).toEqual([1, 2]);
  for (const audit of audits)
    expect(audit).toMatchObject({
      workflowId: 'redrive/earthquakes',
      by: 'somebody',
      reasons: { missing_required: audit.redriven },
      contractsBefore: [strict.hash],
      contractAfter: mended.hash,
    });

  const jobsBefore = lakehouse.jobs.size;
  expect(await redrive({ source: 'earthquakes' })).toMatchObject({
    redriven: 0,
    counts: { quarantined: 2, accepted: 0, byReason: [{ reasonCode: 'not_an_object' }] },
  });
  expect(lakehouse.jobs.size).toBe(jobsBefore);
  expect(await rowsOf(mended)).toEqual(expected);
});

test('what a pipeline has taken meanwhile is only marked: no job, no commit', async () => {
  const strict = await lakehouse.declare(
    'earthquakes',
    (yaml) => lenient(yaml).replace(URL_RULE, '').replace('table: earthquakes', 'table: meanwhile'),
    true,
  );
  await lakehouse.run('pipeline', { source: 'earthquakes', ...DAY }, 'pipeline/meanwhile-strict');
  const mended = await lakehouse.declare('earthquakes', (yaml) =>
    lenient(yaml).replace('table: earthquakes', 'table: meanwhile'),
  );
  await lakehouse.run('pipeline', { source: 'earthquakes', ...DAY }, 'pipeline/meanwhile-mended');
  const before = await rowsOf(mended);
  const jobsBefore = lakehouse.jobs.size;
  expect(await redrive({ source: 'earthquakes' })).toMatchObject({
    redriven: 3,
    batches: { committed: 0, unchanged: 0 },
  });
  expect(lakehouse.jobs.size).toBe(jobsBefore);
  expect(await rowsOf(strict)).toEqual(before);
  expect(await redrive({ source: 'earthquakes' })).toMatchObject({ redriven: 0, counts: { accepted: 0 } });
});

test('a file that was refused at the door lands as it was dropped, and its bad lines stay in quarantine', async () => {
  const strict = await lakehouse.declare('networks', (yaml) => yaml.replace('maxShare: 0.2', 'maxShare: 0'));
  const lines = ['code,updated,name', 'ci,2025-01-01T00:00:00Z,Southern California', 'xx,yesterday,Nowhere'];
  const good = Array.from({ length: 8 }, (_, index) => `n${index},2025-01-01T00:00:00Z,Network ${index}`);
  const dropped = { bucket: 'cupel-bronze', name: 'networks/files/march.csv' };
  await lake.store.create(`gs://${dropped.bucket}/${dropped.name}`, [...lines, ...good].join('\n'));
  const stored = await lake.store.stat(`gs://${dropped.bucket}/${dropped.name}`);
  const file = { ...dropped, generation: stored?.generation ?? '' };
  const landing = { store: lake.store, bronzeBucket: 'cupel-bronze', quarantineBucket: 'cupel-quarantine' };
  await expect(landFile(landing, strict, file)).rejects.toMatchObject({ code: 'CUP_FILE_REFUSED' });
  expect(await redrive({ source: 'networks' })).toMatchObject({ redriven: 0, counts: { quarantined: 1, accepted: 0 } });

  const mended = await lakehouse.declare('networks', (yaml) => yaml);
  expect(await redrive({ source: 'networks' })).toMatchObject({
    redriven: 1,
    counts: { byReason: [{ reasonCode: 'CUP_QUARANTINE_CAP', quarantined: 1, accepted: 1 }] },
  });
  expect(await rowsOf(mended)).toHaveLength(9);
  const hour = hourOf(new Date(stored?.created ?? 0));
  expect(await statesOf('partition', 'networks')).toMatchObject([
    { subject: `files/${hour}`, state: 'done', detail: { recordsIn: 10, quarantined: 1 } },
  ]);
  expect(await statesOf('file', 'networks')).toMatchObject([
    { subject: `networks/files/march.csv#${file.generation}`, state: 'processed' },
  ]);
  expect(await redrive({ source: 'networks' })).toMatchObject({
    redriven: 0,
    counts: { byReason: [{ reasonCode: 'wrong_type', quarantined: 1, accepted: 0 }] },
  });
});
