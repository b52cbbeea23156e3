import type { CompiledContract } from '../../contracts/index.ts';
import { chunkOfReport } from '../../lakehouse/deltas/index.ts';
import { auditName } from '../../lakehouse/committer/audit-name.ts';
import { readPage } from '../../lakehouse/quarantine/index.ts';
import { rawColumns } from '../../lakehouse/raw/index.ts';
import { runIdOf, jobEvent } from '../../lineage/index.ts';
import type { Work } from '../../lineage/index.ts';
import { commitWork } from '../../lineage/jobs/commit.ts';
import { kappaWork, streamWork } from '../../lineage/jobs/kappa.ts';
import { fileWork, pollWork, redriveWork, standingWork } from '../../lineage/jobs/land.ts';
import { placeOfFile } from '../../ingest/land-file.ts';
import { failureText } from '../../workflows/lineage/failure-text.ts';
import type { ActivityResources } from '../resources.ts';
import type { StreamEnd } from '../streams.ts';
import { dataformStep } from './dataform.ts';
import { committedBy } from './facts.ts';
import type { LineageFacts } from './facts.ts';
import type { Call, End, Steps } from './step.ts';

/** The run of a job is named by its report, which each launch has for itself. */
export const jobRunId = (report: string | undefined): string | undefined =>
  report === undefined ? undefined : runIdOf('job', report);

function landSteps({ environment, store }: ActivityResources, facts: LineageFacts): Steps {
  const { places } = facts;
  return {
    pollFeed: {
      work: async (poll, result) =>
        pollWork(places, await facts.contract(poll.source, poll.contractHash), poll, result),
    },
    landFile: {
      work: async ({ name }, landed) => {
        const { source, feed } = placeOfFile(name) ?? {};
        return source && feed ? fileWork(places, await facts.contract(source), feed, landed) : undefined;
      },
    },
    prepareRedrive: {
      work: async ({ contractUri, pageUri }) => {
        const { entries } = await readPage(store, pageUri);
        const files = entries.filter(({ file }) => file).flatMap(({ partitions }) => partitions);
        const feeds = new Set(files.map((partition) => partition.split('/', 1)[0] ?? ''));
        return redriveWork(places, await facts.contractAt(contractUri), [...feeds]);
      },
    },
    resolveContract: standingStep(environment.lineage?.namespace ?? '', facts),
  };
}

/** What moves data without a run of ours is told once by each process for each contract. */
function standingStep(namespace: string, facts: LineageFacts): NonNullable<Steps['resolveContract']> {
  const told = new Set<string>();
  return {
    async also({ source }, reference, { at }) {
      if (!reference || told.has(reference.hash)) return [];
      told.add(reference.hash);
      const contract = await facts.contract(source, reference.hash);
      const works = standingWork(facts.places, contract, rawColumns(contract));
      return works.map((work) => jobEvent(namespace, work, at));
    },
  };
}

/** How a streaming job's run ended; undefined: it goes on. */
function streamEnd(end: StreamEnd | undefined): End | undefined {
  if (!end) return undefined;
  if (end.how !== 'failed') return { type: 'COMPLETE' };
  const type = end.code === 'CUP_DATAFLOW_JOB_CANCELLED' ? 'ABORT' : 'FAIL';
  return { type, failure: failureText(end.code, end.message ?? end.code ?? '') };
}

function jobSteps({ deltas }: ActivityResources, facts: LineageFacts): Steps {
  const { places } = facts;
  async function chunkWork(report: string, ended: boolean): Promise<Work | undefined> {
    const uri = chunkOfReport(report);
    if (!uri) return undefined;
    const chunk = await deltas.readChunk(uri);
    const [landed, [manifest]] = ended
      ? await Promise.all([deltas.readLanded(chunk.batchId), facts.manifests(chunk.table, [chunk.batchId])])
      : [undefined, []];
    const contract = await facts.contract(chunk.source, chunk.contractHash);
    return kappaWork(places, contract, landed ? { ...chunk, ...landed } : chunk, manifest);
  }
  const tableOf = ({ sink }: CompiledContract): string => `${sink.namespace}.${sink.table}`;
  const streamAt = async (contractUri = ''): Promise<Work> => {
    const contract = await facts.contractAt(contractUri);
    return streamWork(places, contract, tableOf(contract));
  };
  return {
    launchDataflowJob: {
      side: 'start',
      runId: ({ parameters }) => jobRunId(parameters.report),
      work: ({ template, parameters }) =>
        template === 'stream' ? streamAt(parameters.contract) : chunkWork(parameters.report ?? '', false),
    },
    awaitDataflowJob: {
      side: 'end',
      runId: ({ report }) => jobRunId(report),
      work: ({ report = '' }, metrics) => chunkWork(report, metrics !== undefined),
    },
    followStream: {
      side: 'end',
      outlives: true,
      runId: ({ job }) => jobRunId(job?.report),
      work: ({ contractUri }) => streamAt(contractUri),
      ended: ({ end }) => streamEnd(end),
    },
  };
}

function commitSteps(facts: LineageFacts): Steps {
  const { places } = facts;

  async function commit(
    kind: 'commit' | 'rebuild' | 'audit',
    contract: CompiledContract,
    batchIds: string[],
    settled: boolean,
    call: Call,
  ): Promise<Work> {
    const { kind: sink, namespace, table: name } = contract.sink;
    const full = `${namespace}.${name}`;
    const table = sink === 'append-log' ? undefined : await facts.table(namespace, name);
    const place = facts.silver(contract, table);
    if (!settled) return commitWork(places, contract, kind, place);
    const [manifests, dones] = await Promise.all([facts.manifests(full, batchIds), facts.dones(full, batchIds)]);
    return commitWork(places, contract, kind, place, committedBy(manifests, dones, table, call.scheduledMs));
  }

  return {
    commitBatches: {
      work: async ({ contractUri, batchIds }, dones, call) =>
        commit('commit', await facts.contractAt(contractUri), batchIds, dones !== undefined, call),
    },
    rebuildTable: {
      work: async ({ source, contractHash, batchIds }, rebuilt, call) =>
        commit('rebuild', await facts.contract(source, contractHash), batchIds, rebuilt !== undefined, call),
    },
    mergeIntoAudit: auditStep(facts),
  };
}

/** An audit table is another one than the contract's, and batches that are merged into it have no outcome yet. */
function auditStep(facts: LineageFacts): NonNullable<Steps['mergeIntoAudit']> {
  return {
    async work({ contractUri, auditId, batchIds }, merged, { scheduledMs }) {
      const contract = await facts.contractAt(contractUri);
      const { namespace, table: name } = contract.sink;
      const table = await facts.table(namespace, auditName(name, auditId));
      const place = facts.silver(contract, table);
      if (!merged || !table) return commitWork(facts.places, contract, 'audit', place);
      const manifests = await facts.manifests(`${namespace}.${name}`, batchIds);
      const outcome = { snapshotId: merged.snapshotId, groupId: null, groupBytesWritten: merged.bytesWritten };
      const committed = committedBy(manifests, [outcome], table, scheduledMs);
      return commitWork(facts.places, contract, 'audit', place, committed);
    },
  };
}

/** What lineage tells of activities, by their names. */
export function lineageSteps(resources: ActivityResources, facts: LineageFacts): Steps {
  return {
    ...landSteps(resources, facts),
    ...jobSteps(resources, facts),
    ...commitSteps(facts),
    awaitDataform: dataformStep(resources, facts),
  };
}
