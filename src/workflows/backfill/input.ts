import { ApplicationFailure } from '@temporalio/workflow';
import type { BackfillInput } from './messages.ts';

/** A backfill's input with every default in place. */
export type BackfillSettings = Required<Omit<BackfillInput, 'state' | 'dependsOnPast'>> &
  Pick<BackfillInput, 'dependsOnPast'>;

/** Most chunks at once: what one history starts comfortably, and more than a project's quota of jobs. */
export const MAX_CONCURRENCY = 100;

const MAX_CHUNK_BYTES = 16 * 2 ** 30;

const CHOICES = {
  mode: ['replay', 'pull'],
  reprocess: ['missing', 'failed', 'stale', 'all'],
  order: ['oldest', 'newest'],
  publish: ['direct', 'audited'],
  approval: ['person', 'checks'],
} as const;

const KNOWN = new Set([
  'source',
  'from',
  'to',
  'dependsOnPast',
  'maxConcurrency',
  'chunkBytes',
  'state',
  ...Object.keys(CHOICES),
]);

function refuse(expected: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(`CUP_BACKFILL_INPUT: expected ${expected}`, 'CUP_BACKFILL_INPUT');
}

/** Whether a number of chunks at once can be had. */
export function checkConcurrency(value: number): void {
  if (!Number.isInteger(value) || value < 1 || value > MAX_CONCURRENCY)
    throw refuse(`maxConcurrency from 1 to ${MAX_CONCURRENCY}, found ${String(value)}`);
}

/** Checks what a person typed: a wrong word must not start a backfill that does something else. */
function check(input: BackfillInput): void {
  if (typeof input !== 'object' || (input as unknown) === null) throw refuse('an object with source, from and to');
  const unknown = Object.keys(input).filter((name) => !KNOWN.has(name));
  if (unknown.length)
    throw refuse(`${[...KNOWN].filter((name) => name !== 'state').join(', ')}; found ${unknown.join(', ')}`);
  for (const name of ['source', 'from', 'to'] as const)
    if (typeof input[name] !== 'string' || !input[name]) throw refuse(`${name}, a text`);
  for (const [name, choices] of Object.entries(CHOICES)) {
    const value = input[name as keyof typeof CHOICES];
    if (value !== undefined && !(choices as readonly string[]).includes(value))
      throw refuse(`${name} to be one of ${choices.join(', ')}, found ${value}`);
  }
  if (input.maxConcurrency !== undefined) checkConcurrency(input.maxConcurrency);
  const { chunkBytes, dependsOnPast } = input;
  if (dependsOnPast !== undefined && typeof dependsOnPast !== 'boolean')
    throw refuse(`dependsOnPast, true or false, found ${String(dependsOnPast)}`);
  if (chunkBytes !== undefined && !(Number.isInteger(chunkBytes) && chunkBytes >= 1 && chunkBytes <= MAX_CHUNK_BYTES))
    throw refuse(`chunkBytes from 1 to ${MAX_CHUNK_BYTES}, found ${String(chunkBytes)}`);
}

/** Checks an input and fills in its defaults. */
export function defaultsOf(input: BackfillInput): BackfillSettings {
  check(input);
  return {
    source: input.source,
    from: input.from,
    to: input.to,
    mode: input.mode ?? 'replay',
    reprocess: input.reprocess ?? 'stale',
    order: input.order ?? 'oldest',
    maxConcurrency: input.maxConcurrency ?? 4,
    chunkBytes: input.chunkBytes ?? 2 * 2 ** 30,
    publish: input.publish ?? 'direct',
    approval: input.approval ?? 'person',
    ...(input.dependsOnPast === undefined ? {} : { dependsOnPast: input.dependsOnPast }),
  };
}
