import { isPolled, tableName } from '../../contracts/index.ts';
import type { CompiledContract, PollFeed } from '../../contracts/index.ts';
import { listFeed } from '../bronze/index.ts';
import type { Ledger, LedgerState } from '../ledger/index.ts';
import type { ObjectStore } from '../object-store.ts';

/** One look at one thing that should be fresh. */
export interface Finding {
  /** `freshness/<source>/<feed>`, `freshness/<table>`, `freshness/gold/<source>` or `freshness/schedule/<id>`. */
  subject: string;
  /** Name of the contract; empty where it is about none. */
  source: string;
  /** `failed`: overdue. */
  state: 'failed' | 'healthy';
  /** One line for people: what was seen, and what was expected. */
  reason: string;
  /** What to type next, where something is overdue. */
  todo?: string;
}

/** A contract and what it promises. */
export interface WatchedSource {
  contract: CompiledContract;
  /** Milliseconds; undefined: it promises nothing. */
  freshnessMs: number | undefined;
}

/** What looking works with. */
export interface StaleResources {
  store: ObjectStore;
  ledger: Pick<Ledger, 'latest'>;
  bronzeBucket: string;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Gold is made every night; two hours for the night that takes longer. */
const GOLD_AGE_MS = 26 * HOUR;

/** How far back the newest object of a silent feed is looked for, to say since when it is silent. */
const LOOK_BACK_MS = 90 * DAY;

const minutes = (time: number): string => `${new Date(time).toISOString().slice(0, 16)}Z`;

/** An age as people say it. */
export function ageText(ms: number): string {
  const hours = Math.floor(ms / HOUR);
  if (hours >= 48) return `${Math.floor(hours / 24)} d`;
  return hours >= 1 ? `${hours} h` : `${Math.floor(ms / 60_000)} min`;
}

/** Hour of a partition as a time. */
const hourTime = (partition: string): number => Date.parse(`${partition.slice(partition.lastIndexOf('/') + 1)}:00:00Z`);

async function newestHour(
  { store, bronzeBucket }: StaleResources,
  source: string,
  feed: string,
  from: number,
  to: number,
): Promise<number | undefined> {
  const range = { from: new Date(from), to: new Date(to) };
  const last = (await listFeed(store, bronzeBucket, source, feed, range)).at(-1);
  return last && hourTime(last.partition);
}

/** Bronze itself is asked, since the ledger's arrivals may be late or lost. Folders are hours, so an age is counted from their end. */
async function lookAtFeed(
  resources: StaleResources,
  { source }: CompiledContract,
  feed: PollFeed,
  now: number,
): Promise<Finding[]> {
  if (!feed.intervalSeconds) return [];
  const limit = (feed.intervalSeconds + Math.max(feed.coverageSeconds, feed.intervalSeconds)) * 1000;
  const subject = `freshness/${source}/${feed.name}`;
  const expected = `expected one in ${ageText(limit)}`;
  const recent = await newestHour(resources, source, feed.name, now - limit - HOUR, now + HOUR);
  if (recent !== undefined)
    return [{ subject, source, state: 'healthy', reason: `newest answer of ${minutes(recent)}` }];
  const last = await newestHour(resources, source, feed.name, now - LOOK_BACK_MS, now);
  const seen = last === undefined ? `no answer in ${ageText(LOOK_BACK_MS)}` : `newest answer of ${minutes(last)}`;
  const todo = `temporal workflow list --query 'CupelRunKind = "ingest" AND CupelSource = "${source}"'`;
  return [{ subject, source, state: 'failed', reason: `${seen}, ${expected}`, todo }];
}

/** The newest partition that is done tells how old Silver is. */
function lookAtTable({ contract, freshnessMs }: WatchedSource, partitions: LedgerState[], now: number): Finding[] {
  if (freshnessMs === undefined) return [];
  const { source } = contract;
  const base = { subject: `freshness/${tableName(contract)}`, source };
  const newest = partitions
    .map(({ subject }) => hourTime(subject))
    .filter((time) => time <= now)
    .reduce((a, b) => Math.max(a, b), -Infinity);
  const known = Number.isFinite(newest);
  const seen = known ? `newest done partition of ${minutes(newest)}` : 'no partition is done';
  if (now - newest <= freshnessMs) return [{ ...base, state: 'healthy', reason: seen }];
  const from = known ? newest : now - contract.lookbackHours * HOUR;
  const todo = `cupel run ${source} --from ${minutes(from)} --to ${minutes(now)}`;
  return [{ ...base, state: 'failed', reason: `${seen}, expected one in ${ageText(freshnessMs)}`, todo }];
}

/** Gold that is old is no fault while nothing new is in Silver. */
function lookAtGold(
  { source }: CompiledContract,
  states: LedgerState[],
  partitions: LedgerState[],
  now: number,
): Finding {
  const base = { subject: `freshness/gold/${source}`, source };
  const timesOf = (of: LedgerState[]) =>
    of.map(({ occurredAt }) => Date.parse(occurredAt)).filter((time) => time <= now);
  const made = timesOf(states.filter(({ state }) => state === 'succeeded')).reduce((a, b) => Math.max(a, b), 0);
  const waiting = timesOf(partitions).filter((time) => time > made);
  const seen = made ? `newest Gold of ${minutes(made)}` : 'no Gold yet';
  if (!waiting.length) return { ...base, state: 'healthy', reason: `${seen}; nothing newer in Silver` };
  const oldest = waiting.reduce((a, b) => Math.min(a, b));
  if (now - Math.max(made, oldest) <= GOLD_AGE_MS) return { ...base, state: 'healthy', reason: seen };
  const reason = `${seen}, ${waiting.length} newer partitions; expected Gold every ${ageText(GOLD_AGE_MS)}`;
  return { ...base, state: 'failed', reason, todo: `temporal workflow list --query 'CupelRunKind = "gold"'` };
}

/**
 * Looks whether anything stands still that should move: feeds, tables, Gold. Reads only.
 *
 * @param now milliseconds since 1970
 */
export async function findStale(resources: StaleResources, sources: WatchedSource[], now: number): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const source of sources) {
    const { contract } = source;
    for (const feed of contract.feeds.filter(isPolled))
      findings.push(...(await lookAtFeed(resources, contract, feed, now)));
    const states = await resources.ledger.latest(contract.source, ['partition', 'materialization']);
    const done = states.filter(({ kind, state }) => kind === 'partition' && state === 'done');
    const gold = states.filter(({ kind }) => kind === 'materialization');
    findings.push(...lookAtTable(source, done, now), lookAtGold(contract, gold, done, now));
  }
  return findings;
}
