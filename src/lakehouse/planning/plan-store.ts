import { createHash } from 'node:crypto';
import { cupelError } from '../../errors.ts';
import type { ObjectStore } from '../object-store.ts';
import type { PullWindow } from '../pull/index.ts';
import type { PartitionState, PlannedPartition } from './partition-states.ts';

/** An object of a planned partition. */
export interface PlannedObject {
  name: string;
  generation: string;
  bytes: number;
  /** Whether the ledger knows that it was verified. */
  verified: boolean;
}

/** One line of a plan. Those to process say which chunk they belong to and list their objects. */
export interface PlanLine extends PlannedPartition {
  chunk: number | null;
  members: PlannedObject[];
  /** Of a plan that pulls: what is asked for. */
  window?: PullWindow;
}

/** A chunk of a plan: where its lines are. */
export interface ChunkReference {
  /** Number of the chunk, from 0. */
  chunk: number;
  /** Its first partition, which names it. */
  first: string;
  partitions: number;
  bytes: number;
  /** Objects that nobody has verified yet. */
  unverified: number;
  /** Bytes `start` to `end` of the plan are its lines. */
  start: number;
  end: number;
}

/** Partitions, objects and bytes in one state. */
export interface StateTotal {
  partitions: number;
  objects: number;
  bytes: number;
}

/** What a plan holds, in numbers. */
export interface PlanTotals {
  byState: Record<PartitionState, StateTotal>;
  /** Slots of schedules without an object, between the first and the last. */
  missingSlots: number;
  /** What the chunks hold together. */
  toProcess: StateTotal;
  chunks: number;
}

/** Beside each plan, under the same name: totals, and where each chunk is. */
export interface PlanIndex {
  version: 1;
  source: string;
  contractHash: string;
  from: string;
  to: string;
  totals: PlanTotals;
  chunks: ChunkReference[];
}

/** A plan that is stored. */
export interface StoredPlan {
  /** `gs://<ops>/plans/<sha256>.ndjson` */
  uri: string;
  index: PlanIndex;
}

const indexUri = (planUri: string): string => planUri.replace(/\.ndjson$/, '.index.json');

/** Chunks of one page of a plan: bounds what an activity returns into a history. */
export const PAGE = 200;

/** Writes a plan under the hash of its content, its index first: a plan that is there can be read. Returns its URI. */
export async function writePlan(
  store: ObjectStore,
  opsBucket: string,
  text: string,
  index: PlanIndex,
): Promise<string> {
  const uri = `gs://${opsBucket}/plans/${createHash('sha256').update(text).digest('hex')}.ndjson`;
  await store.create(indexUri(uri), JSON.stringify(index), 'application/json');
  await store.create(uri, text, 'application/x-ndjson');
  return uri;
}

/** @throws CupelError CUP_OBJECT_NOT_FOUND, CUP_PLAN_INVALID */
export async function readPlanIndex(store: ObjectStore, planUri: string): Promise<PlanIndex> {
  const text = (await store.read(indexUri(planUri))).toString('utf8');
  const index = parsed<PlanIndex | null>(planUri, text);
  if (index?.version !== 1) throw cupelError('CUP_PLAN_INVALID', { plan: planUri, expected: 'version 1' });
  if (!Array.isArray(index.chunks)) throw cupelError('CUP_PLAN_INVALID', { plan: planUri, expected: 'chunks' });
  return index;
}

/** The lines of one chunk. */
export async function readPlanChunk(
  store: ObjectStore,
  planUri: string,
  { start, end, partitions }: ChunkReference,
): Promise<PlanLine[]> {
  const text = (await store.readRange(planUri, start, end)).toString('utf8');
  const lines = parseLines(planUri, text);
  if (lines.length !== partitions)
    throw cupelError('CUP_PLAN_INVALID', { plan: planUri, expected: `${partitions} lines` });
  return lines;
}

/** Every line of a plan. */
export async function readPlan(store: ObjectStore, planUri: string): Promise<PlanLine[]> {
  return parseLines(planUri, (await store.read(planUri)).toString('utf8'));
}

function parseLines(planUri: string, text: string): PlanLine[] {
  return text
    .split('\n')
    .filter((line) => line)
    .map((line) => parsed<PlanLine>(planUri, line));
}

/** What an object of a plan says; the error of the parser would quote it. */
function parsed<T>(planUri: string, text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    throw cupelError('CUP_PLAN_INVALID', { plan: planUri, expected: 'JSON' });
  }
}
