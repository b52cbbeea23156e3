import type { ObjectStore } from '../object-store.ts';
import type { Comparison, Difference, DifferenceKind } from './types.ts';

/** Keeps what differs as NDJSON, a line per key, so that it can be looked at after the shadow is gone. */
export async function writeReport(store: ObjectStore, uri: string, differences: readonly Difference[]): Promise<void> {
  const lines = differences.map((difference) => `${JSON.stringify(difference)}\n`);
  await store.create(uri, lines.join(''), 'application/x-ndjson');
}

/** @throws CupelError CUP_OBJECT_NOT_FOUND */
export async function readReport(store: ObjectStore, uri: string): Promise<Difference[]> {
  const text = (await store.read(uri)).toString('utf8');
  return text
    .split('\n')
    .filter((line) => line)
    .map((line) => JSON.parse(line) as Difference);
}

function countsOf(differences: readonly Difference[]): Comparison['counts'] {
  const counts: Partial<Record<DifferenceKind, number>> = {};
  for (const { kind } of differences) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** Both halves of a comparison as one: a key that both tell of counts once, as the first tells it. */
export function mergeHalves(lost: Comparison, invented: Comparison): Comparison {
  const keys = new Set(lost.differences.map(({ key }) => key));
  const more = invented.differences.filter(({ key }) => !keys.has(key));
  const twice = invented.differences.filter(({ key }) => keys.has(key));
  const counts = { ...lost.counts };
  for (const [kind, count] of Object.entries(invented.counts) as [DifferenceKind, number][]) {
    const told = twice.filter((difference) => difference.kind === kind).length;
    if (count > told) counts[kind] = (counts[kind] ?? 0) + count - told;
  }
  return {
    keys: Math.max(lost.keys, invented.keys),
    counts,
    total: lost.total + invented.total - twice.length,
    mayHeal: lost.mayHeal + invented.mayHeal,
    differences: [...lost.differences, ...more],
  };
}

/**
 * What differed before too. Of a log, which has no snapshots, two looks stand for them: a record never changes, so what one side
 * lacks twice it does not get. Where not all differences were told nothing is forgiven.
 */
export function confirmed(now: Comparison, before: readonly Difference[], beforeTotal: number): Comparison {
  if (before.length < beforeTotal || now.differences.length < now.total) return now;
  const known = new Set(before.map(({ key, kind }) => `${kind} ${key}`));
  const differences = now.differences.filter(({ key, kind }) => known.has(`${kind} ${key}`));
  return { ...now, counts: countsOf(differences), total: differences.length, differences };
}
