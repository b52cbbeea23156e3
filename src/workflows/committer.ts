import {
  ActivityFailure,
  allHandlersFinished,
  ApplicationFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { SignalDefinition } from '@temporalio/workflow';
import type { RebuildRequest, RebuiltTable } from '../activities/rebuild.ts';
import type { Upkeep } from '../activities/silver.ts';
import type { Done } from '../lakehouse/deltas/types.ts';
import { upkeep, working } from './activities.ts';
import { ask } from './asks.ts';
import type { Ask } from './asks.ts';
import { tagEntity } from './visibility.ts';

/** A batch whose manifest is published. */
export interface Submission {
  batchId: string;
  /** URI of the contract that made it. */
  contractUri: string;
  /** Workflow that waits for the outcome. */
  waiter: string;
  /** Tells the waiter of a refusal only: a stream looks at storage for the rest. Default false. */
  refusalsOnly?: boolean;
}

/** A batch that was refused. */
export interface RefusedBatch {
  batchId: string;
  /** Code of the catalogue. */
  code: string;
  message: string;
}

/** Input of the committer of a table. */
export interface CommitterInput {
  /** `<namespace>.<table>` */
  table: string;
  /** Carried over when the history starts anew. */
  waiting?: Submission[];
  /** When orphans were last swept, milliseconds since 1970; carried over too. */
  sweptAt?: number;
}

/** A batch waits to be committed. Submitting one again is harmless. */
export const submit = defineSignal<[Submission[]]>('submit');

/** To the waiter: how its batches ended. */
export const settled = defineSignal<[Done[]]>('settled');

/** To the waiter: a batch that cannot be committed, and why. Trying again is of no use until someone mends the cause. */
export const refused = defineSignal<[RefusedBatch[]]>('refused');

/** Does the whole upkeep of the table now, between two groups, and answers with its numbers. */
export const maintainNow = defineUpdate<Upkeep, [{ contractUri: string }]>('maintainNow');

/** Makes the table anew between two groups, and answers with what it did. */
export const rebuildNow = defineUpdate<RebuiltTable, [RebuildRequest]>('rebuildNow');

/** Batches that wait. */
export const waitingQuery = defineQuery<Submission[]>('waiting');

/** Groups that were committed since the last upkeep. */
interface Group {
  contractUri: string;
  groups: number;
}

/** What somebody waits for. */
interface Asks {
  upkeep: Ask<{ contractUri: string }, Upkeep>[];
  rebuilds: Ask<RebuildRequest, RebuiltTable>[];
}

/** Most batches of one snapshot. */
const MAX_GROUP = 200;

/** Groups after which upkeep comes before the next one; else it waits until nobody waits. */
const UPKEEP_AFTER_GROUPS = 20;

/** Nobody waits: no batch came for so long. */
const IDLE = '5 seconds';

/** Between two sweeps of orphans. */
const SWEEP_EVERY_MS = 24 * 3_600_000;

/**
 * Entity workflow `committer/<table>`: takes waiting batches together and commits them as one snapshot. It is the only
 * writer of its table, so its own writers never race.
 */
export async function committer(input: CommitterInput): Promise<void> {
  tagEntity('committer');
  let waiting = input.waiting ?? [];
  let sweptAt = input.sweptAt ?? 0;
  setHandler(waitingQuery, () => waiting, { description: 'batches that wait to be committed' });
  setHandler(submit, (batches) => {
    waiting = [...waiting, ...batches];
  });
  const asks: Asks = { upkeep: [], rebuilds: [] };
  setHandler(maintainNow, (request) => ask(asks.upkeep, request));
  setHandler(rebuildNow, (request) => ask(asks.rebuilds, request));
  const asked = (): boolean => asks.upkeep.length > 0 || asks.rebuilds.length > 0;
  let last: Group | undefined;
  const called = (): boolean => waiting.length > 0 || asked();
  while (!workflowInfo().continueAsNewSuggested) {
    setCurrentDetails(`**${input.table}**: waiting for batches`);
    if (last && (last.groups >= UPKEEP_AFTER_GROUPS || !(await condition(called, IDLE)))) {
      sweptAt = await maintain(last.contractUri, sweptAt);
      last = undefined;
    }
    await condition(called);
    sweptAt = await answerAsks(input.table, asks, sweptAt);
    if (!waiting.length) continue;
    const group = nextGroup(waiting);
    waiting = waiting.filter((submission) => !group.includes(submission));
    setCurrentDetails(`**${input.table}**: committing ${group.length} batches`);
    await commitGroup(input.table, group);
    last = { contractUri: group[0]?.contractUri ?? '', groups: (last?.groups ?? 0) + 1 };
  }
  if (last) sweptAt = await maintain(last.contractUri, sweptAt);
  do {
    sweptAt = await answerAsks(input.table, asks, sweptAt);
    await condition(() => asked() || allHandlersFinished());
  } while (asked());
  await continueAsNew<typeof committer>({ table: input.table, waiting, sweptAt });
}

/** The oldest batches of one contract; a batch that was submitted twice counts once. */
function nextGroup(waiting: Submission[]): Submission[] {
  const contractUri = waiting[0]?.contractUri;
  const ids = new Set<string>();
  return waiting.filter((submission) => {
    if (submission.contractUri !== contractUri) return false;
    if (!ids.has(submission.batchId) && ids.size === MAX_GROUP) return false;
    ids.add(submission.batchId);
    return true;
  });
}

/** Commits the batches together; where that is refused, each by itself, so that one bad batch stops no other. */
async function commitGroup(table: string, group: Submission[]): Promise<void> {
  const batchIds = [...new Set(group.map((submission) => submission.batchId))];
  const contractUri = group[0]?.contractUri ?? '';
  try {
    const outcomes = await working.commitBatches({ table, batchIds, contractUri });
    await tellAll(
      group.filter(({ refusalsOnly }) => !refusalsOnly),
      settled,
      outcomes,
    );
  } catch (error) {
    if (isCancellation(error)) throw error;
    if (batchIds.length === 1) return tellAll(group, refused, [refusal(batchIds[0] ?? '', error)]);
    for (const batchId of batchIds)
      await commitGroup(
        table,
        group.filter((submission) => submission.batchId === batchId),
      );
  }
}

function refusal(batchId: string, error: unknown): RefusedBatch {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  const code = cause instanceof ApplicationFailure ? (cause.type ?? 'unknown') : 'unknown';
  return { batchId, code, message: cause instanceof Error ? cause.message : String(cause) };
}

/** Each waiter hears of its own batches, once. */
async function tellAll<T extends { batchId: string }>(
  group: Submission[],
  signal: SignalDefinition<[T[]]>,
  news: T[],
): Promise<void> {
  for (const waiter of new Set(group.map((submission) => submission.waiter))) {
    const theirs = new Set(
      group.filter((submission) => submission.waiter === waiter).map((submission) => submission.batchId),
    );
    await tell(
      waiter,
      signal,
      news.filter(({ batchId }) => theirs.has(batchId)),
    );
  }
}

/** A waiter that is gone reads the outcome from storage when it comes again. */
async function tell<T>(waiter: string, signal: SignalDefinition<[T[]]>, news: T[]): Promise<void> {
  try {
    await getExternalWorkflowHandle(waiter).signal(signal, news);
  } catch (error) {
    log.info('a waiter is gone', { waiter, reason: String(error) });
  }
}

/** Does what was asked for, rebuilds first; returns when orphans were last swept. */
async function answerAsks(table: string, asks: Asks, sweptAt: number): Promise<number> {
  for (let next = asks.rebuilds.shift(); next; next = asks.rebuilds.shift()) {
    const { input } = next;
    setCurrentDetails(`**${table}**: is rebuilt from ${input.batchIds.length} batches`);
    next.answer = await attempt(() => working.rebuildTable(input));
  }
  return answerUpkeep(table, asks.upkeep.splice(0), sweptAt);
}

async function attempt<O>(work: () => Promise<O>): Promise<{ ok: O } | { failed: unknown }> {
  try {
    return { ok: await work() };
  } catch (error) {
    if (isCancellation(error)) throw error;
    return { failed: error };
  }
}

/** Everyone who asked meanwhile gets the same numbers. */
async function answerUpkeep(table: string, asked: Asks['upkeep'], sweptAt: number): Promise<number> {
  if (!asked.length) return sweptAt;
  setCurrentDetails(`**${table}**: upkeep`);
  const contractUri = asked.at(-1)?.input.contractUri ?? '';
  const answer = await attempt(() => upkeep.maintainTable({ contractUri, sweep: true, expire: true }));
  for (const ask of asked) ask.answer = answer;
  return 'ok' in answer ? Date.now() : sweptAt;
}

/** Upkeep after a commit. What it cannot do now it does after the next one: it must never stop commits. */
async function maintain(contractUri: string, sweptAt: number): Promise<number> {
  const sweep = Date.now() - sweptAt >= SWEEP_EVERY_MS;
  try {
    await upkeep.maintainTable({ contractUri, sweep });
    return sweep ? Date.now() : sweptAt;
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.warn('upkeep failed', { reason: String(error) });
    return sweptAt;
  }
}
