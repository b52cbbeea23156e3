import { fingerprint } from '../lakehouse/deltas/index.ts';
import type { FailureReport } from '../lakehouse/deltas/index.ts';
import { readContract } from '../lakehouse/contract-store.ts';
import { ledgerEvent } from '../lakehouse/ledger/index.ts';
import type { LedgerState } from '../lakehouse/ledger/index.ts';
import { partOfChunk, underContract } from '../lakehouse/planning/chunks.ts';
import type { FailedPartition } from '../lakehouse/planning/chunks.ts';
import { readPublication } from '../lakehouse/published-contract.ts';
import { PullLog } from '../lakehouse/pull/index.ts';
import { estimateCost, readPrices } from '../lakehouse/planning/estimate.ts';
import type { CostEstimate } from '../lakehouse/planning/estimate.ts';
import { resolveRange } from '../lakehouse/planning/local-days.ts';
import { makePlan } from '../lakehouse/planning/plan.ts';
import type { Plan } from '../lakehouse/planning/plan.ts';
import { PAGE, readPlan, readPlanIndex, writePlan } from '../lakehouse/planning/plan-store.ts';
import type { ChunkReference, PlanLine, PlanTotals } from '../lakehouse/planning/plan-store.ts';
import { unprovenWindows } from '../lakehouse/planning/pull-proof.ts';
import { prepareChunk, storeChunk } from '../lakehouse/planning/prepare-chunk.ts';
import type { PreparedChunk, PrepareRequest, ValidatedChunk } from '../lakehouse/planning/prepare-chunk.ts';
import type { Order, Reprocess } from '../lakehouse/planning/selection.ts';
import { withHeartbeat } from './heartbeats.ts';
import type { ActivityResources } from './resources.ts';

/** Bytes of Bronze in one job of a pipeline: minutes of work for one small worker. */
const PIPELINE_CHUNK_BYTES = 256 << 20;

/** What a plan holds, in numbers: the listing itself stays in storage. */
export interface PlanSummary {
  planUri: string;
  objects: number;
  partitions: number;
  donePartitions: number;
  /** Objects of partitions that are not done. */
  toProcess: number;
  /** Slots of schedules without an object, between the first and the last. */
  missingSlots: number;
}

/** A stored plan of a backfill, in numbers. */
export interface PlanHead {
  planUri: string;
  totals: PlanTotals;
  cost: CostEstimate;
}

/** What a backfill plans. */
export interface PlanBackfill {
  from: string;
  to: string;
  contractUri: string;
  reprocess: Reprocess;
  order: Order;
  chunkBytes: number;
  /** `pull`: the origin is asked. Default `replay`: Bronze is. */
  mode?: 'replay' | 'pull';
}

/** Chunks that may be processed, and what validation refused. */
export interface ValidatedPlan {
  chunks: ValidatedChunk[];
  refused: number;
}

/**
 * Whether a partition is done with the objects of its plan: under the plan's contract, or under one that took up fields since.
 *
 * @param laterContracts hashes
 */
function provenBy(
  state: LedgerState | undefined,
  { fingerprint: planned, members }: PlanLine,
  laterContracts: readonly string[],
): boolean {
  if (!state || state.fingerprint === planned) return state !== undefined;
  const { contractHash = '', rulesVersion = 0 } = state.detail as { contractHash?: string; rulesVersion?: number };
  if (!laterContracts.includes(contractHash)) return false;
  return fingerprint(members, contractHash, rulesVersion) === state.fingerprint;
}

function summarise(planUri: string, { index, lines }: Plan): PlanSummary {
  const { totals } = index;
  const present = lines.filter(({ objects }) => objects > 0);
  return {
    planUri,
    objects: present.reduce((sum, line) => sum + line.objects, 0),
    partitions: present.length,
    donePartitions: present.filter(({ state }) => state === 'done' || state === 'gap').length,
    toProcess: totals.toProcess.objects,
    missingSlots: totals.missingSlots,
  };
}

/** Activities on plans and their chunks. */
export function planActivities(resources: ActivityResources) {
  const { store, environment, ledger, deltas } = resources;
  const { buckets } = environment;
  const preparing = {
    store,
    deltas,
    ledger,
    bronzeBucket: buckets.bronze,
    quarantineBucket: buckets.quarantine,
    progress: () => undefined,
  };

  async function plan(request: PlanBackfill): Promise<{ plan: Plan; planUri: string }> {
    const contract = await readContract(store, request.contractUri);
    const range = { from: new Date(request.from), to: new Date(request.to) };
    const made = await makePlan(resources, buckets, contract, { ...request, range });
    const missing = made.missing.map((run) =>
      ledgerEvent('missing', contract.source, `${run.feed}/${run.from}`, 'missing', '', run),
    );
    await ledger.append(missing);
    return { plan: made, planUri: await writePlan(store, buckets.ops, made.text, made.index) };
  }

  /** Contracts of the source's table that came after one; none where a rebuild came between. */
  async function contractsSince(source: string, contractHash: string): Promise<string[]> {
    const { lineage = [] } = (await readPublication({ store, opsBucket: buckets.ops }, source)) ?? {};
    const at = lineage.indexOf(contractHash);
    return at < 0 ? [] : lineage.slice(at + 1);
  }

  async function validateAll(input: { planUri: string; contractUri: string }): Promise<ValidatedPlan> {
    const contract = await readContract(store, input.contractUri);
    const { chunks: references } = await readPlanIndex(store, input.planUri);
    const all: ValidatedPlan = { chunks: [], refused: 0 };
    for (const reference of references) {
      const prepared = await prepareChunk(preparing, contract, { planUri: input.planUri, reference });
      all.refused += prepared.refused;
      if (prepared.chunk) all.chunks.push(prepared.chunk);
    }
    return all;
  }

  return {
    /** The range that a source understands: bare dates begin at midnight of the contract's time zone. */
    async resolveRange(input: {
      contractUri: string;
      from: string;
      to: string;
    }): Promise<{ from: string; to: string }> {
      const { timeZone } = await readContract(store, input.contractUri);
      return resolveRange(input.from, input.to, timeZone);
    },

    /**
     * Plans a range for a pipeline.
     *
     * @param reprocess default `stale`: what is not done with its current fingerprint
     */
    async planRange(input: {
      from: string;
      to: string;
      contractUri: string;
      reprocess?: 'stale' | 'all';
    }): Promise<PlanSummary> {
      const { reprocess = 'stale' } = input;
      const request = { ...input, reprocess, order: 'oldest', chunkBytes: PIPELINE_CHUNK_BYTES } as const;
      const made = await withHeartbeat(() => plan(request));
      return summarise(made.planUri, made.plan);
    },

    /** Plans a backfill and estimates its cost. */
    async planBackfill(input: PlanBackfill): Promise<PlanHead> {
      const { plan: made, planUri } = await withHeartbeat(() => plan(input));
      const { totals } = made.index;
      return { planUri, totals, cost: estimateCost(await readPrices(environment.pricesFile), totals) };
    },

    /** One page of a plan's chunks. */
    async readPlanPage({ planUri, page }: { planUri: string; page: number }): Promise<ChunkReference[]> {
      return (await readPlanIndex(store, planUri)).chunks.slice(page * PAGE, (page + 1) * PAGE);
    },

    /** Verifies every chunk of a plan, and stores what is left for jobs. */
    validatePlan: (input: { planUri: string; contractUri: string }): Promise<ValidatedPlan> =>
      withHeartbeat(() => validateAll(input)),

    /** Verifies one chunk of a plan, and stores what is left for a job. */
    async prepareChunk(input: PrepareRequest & { contractUri: string }): Promise<PreparedChunk> {
      const { contractUri, ...request } = input;
      const contract = await readContract(store, contractUri);
      return withHeartbeat(() => prepareChunk(preparing, contract, request));
    },

    /** Stores the chunk of what is left without these partitions, or of one half; undefined: nothing is left. */
    async recutChunk(input: {
      chunkUri: string;
      without?: string[];
      half?: 'first' | 'second';
    }): Promise<ValidatedChunk | undefined> {
      const chunk = await deltas.readChunk(input.chunkUri);
      const without = new Set(input.without ?? []);
      const middle = Math.ceil(chunk.partitions.length / 2);
      const inHalf = (index: number): boolean => !input.half || (input.half === 'first') === index < middle;
      const rest = partOfChunk(chunk, (partition, index) => !without.has(partition) && inHalf(index));
      return rest.partitions.length ? storeChunk(deltas, rest) : undefined;
    },

    /** Stores the same work as a chunk under another contract of its source. */
    async moveChunk(input: { chunkUri: string; contractUri: string }): Promise<ValidatedChunk> {
      const [chunk, contract] = await Promise.all([
        deltas.readChunk(input.chunkUri),
        readContract(store, input.contractUri),
      ]);
      return storeChunk(deltas, underContract(chunk, contract));
    },

    /** The partitions of a chunk as failed ones; of all of them, or of those that a job's report names. */
    async failedPartitions(input: {
      chunkUri: string;
      code: string;
      failed?: FailureReport['failed'];
    }): Promise<FailedPartition[]> {
      const { partitions } = await deltas.readChunk(input.chunkUri);
      const named = input.failed && new Map(input.failed.map(({ partition, code }) => [partition, code]));
      return partitions
        .filter(({ partition }) => !named || named.has(partition))
        .map((of) => ({ ...of, code: named?.get(of.partition) ?? input.code }));
    },

    /** Enters partitions that failed into the ledger. */
    async recordFailures(input: { source: string; failed: FailedPartition[]; run: string }): Promise<void> {
      const events = input.failed.map(({ partition, fingerprint, code }) =>
        ledgerEvent('partition', input.source, partition, 'failed', fingerprint, { code }, new Date(), input.run),
      );
      await ledger.append(events);
    },

    /**
     * What the ledger says of the partitions that a plan was to process: the proof of a backfill.
     *
     * @param run the run that was to pull; nothing of a plan that replays
     */
    async verifyPlan({ planUri, source, run = '' }: VerifyPlan): Promise<VerifiedPlan> {
      const states = await ledger.latest(source, ['partition']);
      const done = new Map(states.filter(({ state }) => state === 'done').map((state) => [state.subject, state]));
      const lines = (await readPlan(store, planUri)).filter(({ chunk }) => chunk !== null);
      const proof = { store, bronzeBucket: buckets.bronze, log: new PullLog(store, buckets.ops), source, run };
      const pulled = await unprovenWindows(proof, lines, done);
      const replayed = lines.filter(({ window }) => !window);
      const later = await contractsSince(source, (await readPlanIndex(store, planUri)).contractHash);
      const unproven = replayed.filter((line) => !provenBy(done.get(line.partition), line, later));
      const open = [...unproven, ...pulled];
      return {
        done: lines.length - open.length,
        open: open.length,
        first: open.slice(0, 20).map((line) => line.partition),
      };
    },
  };
}

/** A plan to be proved. */
export interface VerifyPlan {
  planUri: string;
  source: string;
  run?: string;
}

/** What the ledger says of a plan. */
export interface VerifiedPlan {
  done: number;
  open: number;
  /** The first partitions that are not done. */
  first: string[];
}
