import { heartbeat } from '@temporalio/activity';
import { readContract } from '../lakehouse/contract-store.ts';
import { ledgerEvent } from '../lakehouse/ledger/index.ts';
import { planRange, storePlan } from '../lakehouse/planning/plan.ts';
import type { Plan } from '../lakehouse/planning/plan.ts';
import { toChunk, validateObjects } from '../lakehouse/planning/validate.ts';
import type { ActivityResources } from './resources.ts';

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

/** A chunk that a job may process. */
export interface ValidatedChunk {
  batchId: string;
  uri: string;
  objects: number;
  /** Whether its manifest is there already. */
  published: boolean;
}

function summarise(planUri: string, plan: Plan): PlanSummary {
  return {
    planUri,
    objects: plan.objects,
    partitions: plan.partitions,
    donePartitions: plan.donePartitions,
    toProcess: plan.chunks.reduce((sum, chunk) => sum + chunk.length, 0),
    missingSlots: plan.missing.reduce((sum, run) => sum + run.slots, 0),
  };
}

/** Activities on Bronze: plan and validate. */
export function bronzeActivities({ environment, store, deltas, ledger }: ActivityResources) {
  const { buckets } = environment;
  return {
    /** Lists Bronze, takes out what is done with its current fingerprint, and stores the plan. */
    async planRange(input: { from: string; to: string; contractUri: string }): Promise<PlanSummary> {
      const contract = await readContract(store, input.contractUri);
      const states = await ledger.latest(contract.source, ['partition']);
      const done = new Map(
        states.filter(({ state }) => state === 'done').map(({ subject, fingerprint }) => [subject, fingerprint]),
      );
      const range = { from: new Date(input.from), to: new Date(input.to) };
      const plan = await planRange(store, buckets.bronze, contract, range, done);
      const missing = plan.missing.map((run) =>
        ledgerEvent('missing', contract.source, `${run.feed}/${run.from}`, 'missing', '', run),
      );
      await ledger.append(missing);
      return summarise(await storePlan(store, buckets.ops, plan), plan);
    },

    /** Verifies what nobody has verified yet, and stores the chunks of what is left. */
    async validatePlan(input: {
      planUri: string;
      contractUri: string;
    }): Promise<{ chunks: ValidatedChunk[]; refused: number }> {
      const contract = await readContract(store, input.contractUri);
      const plan = JSON.parse((await store.read(input.planUri)).toString('utf8')) as Plan;
      if (!plan.chunks.length) return { chunks: [], refused: 0 };
      const states = await ledger.latest(contract.source, ['arrival']);
      const known = new Map(states.map(({ subject, state }) => [subject, state]));
      const resources = {
        store,
        bronzeBucket: buckets.bronze,
        quarantineBucket: buckets.quarantine,
        progress: (objects: number) => heartbeat({ objects }),
      };
      const chunks: ValidatedChunk[] = [];
      let refused = 0;
      for (const objects of plan.chunks) {
        const validation = await validateObjects(resources, contract, objects, known);
        await ledger.append(validation.arrivals);
        refused += validation.refused;
        if (!validation.accepted.length) continue;
        const chunk = toChunk(contract, validation.accepted, objects);
        await deltas.writeChunk(chunk);
        const published = (await deltas.readManifest(chunk.table, chunk.batchId)) !== undefined;
        chunks.push({
          batchId: chunk.batchId,
          uri: deltas.chunkUri(chunk.batchId),
          objects: chunk.objects.length,
          published,
        });
      }
      return { chunks, refused };
    },
  };
}
