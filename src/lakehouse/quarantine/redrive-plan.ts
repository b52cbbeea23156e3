import { createHash } from 'node:crypto';
import type { CompiledContract } from '../../contracts/index.ts';
import type { ObjectStore } from '../object-store.ts';
import type { QuarantineEntry } from './types.ts';

/** Partitions of one page: a page is one step of a re-drive, with its jobs and one commit. */
const PAGE_PARTITIONS = 100;

/** Entries of one page: bounds what marking it takes. */
const PAGE_ENTRIES = 5_000;

const HOUR = 3_600_000;

/** How many of some are in quarantine, and how many of these the current contract accepts. */
export interface RefusedCount {
  quarantined: number;
  accepted: number;
}

/** What a filter finds, in numbers. */
export interface RedriveCounts extends RefusedCount {
  byReason: ({ reasonCode: string } & RefusedCount)[];
  /** Number of partitions. */
  partitions: number;
  /** The first 500 partitions by hour; the history of a workflow has no room for all. */
  byPartition: ({ partition: string } & RefusedCount)[];
}

/** What one step of a re-drive does; stored, since it may be long. */
export interface RedrivePage {
  partitions: string[];
  /**
   * Partitions that hold an entry which this very contract refused before: the software's rules were mended, so being done
   * under this contract says nothing.
   */
  again: string[];
  /** Those that the contract accepts. */
  entries: QuarantineEntry[];
}

const MAX_SHOWN = 500;

const firstOf = ({ partitions }: QuarantineEntry): string => partitions[0] ?? '';

const hourFirst = (partition: string): string => `${partition.slice(partition.lastIndexOf('/') + 1)} ${partition}`;

const byHour = (a: string, b: string): number => (hourFirst(a) < hourFirst(b) ? -1 : 1);

function count(
  entries: QuarantineEntry[],
  accepted: ReadonlySet<QuarantineEntry>,
  keyOf: (entry: QuarantineEntry) => string,
): [string, RefusedCount][] {
  return [...Map.groupBy(entries, keyOf)].map(([key, of]) => [
    key,
    { quarantined: of.length, accepted: of.filter((entry) => accepted.has(entry)).length },
  ]);
}

/** Counts what is in quarantine by reason and by partition. */
export function countEntries(entries: QuarantineEntry[], accepted: ReadonlySet<QuarantineEntry>): RedriveCounts {
  const reasons = count(entries, accepted, ({ reasonCode }) => reasonCode).sort(([a], [b]) => (a < b ? -1 : 1));
  const partitions = count(entries, accepted, firstOf).sort(([a], [b]) => byHour(a, b));
  return {
    quarantined: entries.length,
    accepted: accepted.size,
    byReason: reasons.map(([reasonCode, of]) => ({ reasonCode, ...of })),
    partitions: partitions.length,
    byPartition: partitions.slice(0, MAX_SHOWN).map(([partition, of]) => ({ partition, ...of })),
  };
}

function toPage(entries: QuarantineEntry[], contractHash: string): RedrivePage {
  const refusedNow = entries.filter(({ copies }) => copies.some(({ contract }) => contract === contractHash));
  const partitionsIn = (of: QuarantineEntry[]): string[] =>
    [...new Set(of.flatMap(({ partitions }) => partitions))].sort(byHour);
  return { partitions: partitionsIn(entries), again: partitionsIn(refusedNow), entries };
}

/**
 * Cuts what a contract accepts into pages, oldest partitions first; a partition is never cut.
 *
 * @param maxEntries entries of the run; a first partition that holds more is taken all the same
 * @returns the pages, and how many accepted entries are left for another run
 */
export function cutPages(
  accepted: Iterable<QuarantineEntry>,
  contract: Pick<CompiledContract, 'hash'>,
  maxEntries: number,
): { pages: RedrivePage[]; left: number } {
  const groups = [...Map.groupBy(accepted, firstOf)].sort(([a], [b]) => byHour(a, b)).map(([, of]) => of);
  const pages: QuarantineEntry[][] = [];
  let taken = 0;
  let partitions = PAGE_PARTITIONS;
  let left = 0;
  for (const group of groups) {
    if (left > 0 || (taken > 0 && taken + group.length > maxEntries)) {
      left += group.length;
      continue;
    }
    const page = pages.at(-1);
    if (page && partitions < PAGE_PARTITIONS && page.length + group.length <= PAGE_ENTRIES) page.push(...group);
    else {
      pages.push([...group]);
      partitions = 0;
    }
    partitions += 1;
    taken += group.length;
  }
  return { pages: pages.map((entries) => toPage(entries, contract.hash)), left };
}

/** The hours that pages touch, as one range; undefined without any. */
export function rangeOf(pages: RedrivePage[]): { from: string; to: string } | undefined {
  const hours = pages.flatMap(({ partitions }) => partitions.map((of) => of.slice(of.lastIndexOf('/') + 1))).sort();
  const [first] = hours;
  const last = hours.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const end = new Date(Date.parse(`${last}:00:00Z`) + HOUR).toISOString().replace('.000Z', 'Z');
  return { from: `${first}:00:00Z`, to: end };
}

/** Stores pages under the hash of what they hold. Returns their URIs' common beginning. */
export async function writePages(store: ObjectStore, opsBucket: string, pages: RedrivePage[]): Promise<string> {
  const texts = pages.map((page) => JSON.stringify(page));
  const name = createHash('sha256').update(texts.join('\n')).digest('hex');
  const folder = `gs://${opsBucket}/redrives/${name}`;
  for (const [number, text] of texts.entries()) await store.create(pageUri(folder, number), text, 'application/json');
  return folder;
}

/** URI of a page. */
export const pageUri = (folder: string, number: number): string => `${folder}/${number}.json`;

export async function readPage(store: ObjectStore, uri: string): Promise<RedrivePage> {
  return JSON.parse((await store.read(uri)).toString('utf8')) as RedrivePage;
}
