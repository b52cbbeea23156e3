import { heartbeat } from '@temporalio/activity';
import type { CompiledContract } from '../contracts/index.ts';
import { cupelError } from '../errors.ts';
import { bronzeRange } from '../lakehouse/bronze/index.ts';
import { readContract, contractUri as uriOf, publishContract } from '../lakehouse/contract-store.ts';
import {
  commitShadow,
  compareTables,
  confirmed,
  dropShadow,
  listShadows,
  mergeHalves,
  newestSnapshot,
  openShadow,
  readReport,
  writeReport,
} from '../lakehouse/parity/index.ts';
import type { Comparison, Half, Shadow, ShadowRun } from '../lakehouse/parity/index.ts';
import { contractInForce, readPublication } from '../lakehouse/published-contract.ts';
import { streamId } from '../workflows/ids.ts';
import { withHeartbeat } from './heartbeats.ts';
import { isOpen, isRunning } from './open-runs.ts';
import type { ActivityResources } from './resources.ts';

/** Batches of before this long ago are not waited for: they are refused, or wait for a person. */
const WAITS_MS = 3_600_000;

/** Most batches that are waited for. */
const MAX_WAITING = 1_000;

/** A shadow that was opened. */
export interface OpenedShadow extends Shadow {
  source: string;
  /** Hash of the contract that it computes again. */
  contractHash: string;
  /** Whether a stream of the source runs, so that what Silver lacks may be on its way. */
  streamed: boolean;
}

/** A snapshot of Silver and one of the shadow; null: it held nothing, or it is a log. */
export interface SnapshotPair {
  silver: string | null;
  shadow: string | null;
}

/** What is to be compared. */
export interface CompareWithShadow {
  shadow: OpenedShadow;
  /** What the shadow holds. Default: all of Bronze. */
  range?: { from: string; to: string };
  /** Of the first round: what Silver must hold, and must not go beyond what Bronze turns out to hold. */
  first: SnapshotPair;
  now: SnapshotPair;
  round: number;
  /** The round before. */
  previous?: ComparedRound;
}

/** What a round of comparing found; the differences themselves are in the report. */
export interface ComparedRound extends Omit<Comparison, 'differences'> {
  /** NDJSON of Difference, the first thousand. */
  reportUri: string;
}

const halvesOf = (...halves: Half[]): { halves: Half[] } => ({ halves });

/** Activities that compare a table with what Bronze gives. */
export function parityActivities(resources: ActivityResources) {
  const { store, deltas, environment, temporal, now } = resources;
  const { buckets, contractsDirectory } = environment;
  const publications = { store, opsBucket: buckets.ops };
  const working = { ...resources, opsBucket: buckets.ops };

  /** @throws CupelError CUP_PARITY_OVERTAKEN when a rebuild replaced the table meanwhile */
  async function refuseOvertaken({ source, contractHash }: OpenedShadow): Promise<void> {
    const published = await readPublication(publications, source);
    if (published && !published.lineage.includes(contractHash))
      throw cupelError('CUP_PARITY_OVERTAKEN', { source, contract: contractHash, published: published.hash });
  }

  async function compare(input: CompareWithShadow): Promise<Comparison> {
    const { shadow, range, first, now: newest, previous } = input;
    const [contract, shadowContract] = await Promise.all([
      readContract(store, shadow.pinnedUri),
      readContract(store, shadow.contractUri),
    ]);
    const options = {
      ...(range ? { range: { from: new Date(range.from), to: new Date(range.to) } } : {}),
      progress: (keys: number) => heartbeat({ keys }),
    };
    const between = (pair: SnapshotPair, ...halves: Half[]): Promise<Comparison> =>
      compareTables(
        resources,
        { contract, snapshotId: pair.silver },
        { contract: shadowContract, snapshotId: pair.shadow },
        { ...options, ...halvesOf(...halves) },
      );
    const isLog = contract.sink.kind === 'append-log';
    if (isLog || !previous) {
      const found = await between(newest, 'lost', 'invented');
      return previous ? confirmed(found, await readReport(store, previous.reportUri), previous.total) : found;
    }
    // Silver of now must hold what Bronze gave at first; Silver of then must hold no more than Bronze gives now.
    const lost = await between({ silver: newest.silver, shadow: first.shadow }, 'lost');
    return mergeHalves(lost, await between({ silver: first.silver, shadow: newest.shadow }, 'invented'));
  }

  return {
    /** Pins the contract in force and publishes that of a shadow of its table, which is never in force. */
    async openShadow({ source, run }: { source: string; run: ShadowRun }): Promise<OpenedShadow> {
      const contract = await contractInForce(publications, contractsDirectory, source);
      const pinnedUri = uriOf(buckets.ops, source, contract.hash);
      await publishContract(store, buckets.ops, contract);
      const shadow = await openShadow(working, contract, pinnedUri, run);
      const streamed = await isRunning(temporal, streamId(source));
      return { ...shadow, source, contractHash: contract.hash, streamed };
    },

    /** All that the Bronze of a contract's source holds by now; null: nothing. */
    async readWholeBronze({ contractUri }: { contractUri: string }): Promise<{ from: string; to: string } | null> {
      const contract = await readContract(store, contractUri);
      const range = await withHeartbeat(() => bronzeRange(store, buckets.bronze, contract));
      return range ? { from: range.from.toISOString(), to: range.to.toISOString() } : null;
    },

    /** Commits batches to a shadow; returns its newest snapshot. Safe to repeat after any crash. */
    async commitShadow(input: { shadow: Shadow; batchIds: string[] }): Promise<string | null> {
      const contract = await readContract(store, input.shadow.contractUri);
      return withHeartbeat(() => commitShadow(resources, contract, input.batchIds));
    },

    /** Batches of a table that were published within the last hour and are not settled. */
    async waitingBatches({ table }: { table: string }): Promise<string[]> {
      const waiting = await withHeartbeat(() => deltas.listWaiting(table));
      const recent = waiting.filter(({ at }) => now() - at.getTime() < WAITS_MS);
      return recent.slice(0, MAX_WAITING).map(({ batchId }) => batchId);
    },

    /** The newest snapshot of the table that a shadow is compared with; null: it holds nothing, or it is a log. */
    async readSilverSnapshot({ shadow }: { shadow: Shadow }): Promise<string | null> {
      return newestSnapshot(resources, await readContract(store, shadow.pinnedUri));
    },

    /**
     * Compares the table with its shadow, and keeps what differs in a report.
     *
     * @throws CupelError CUP_PARITY_OVERTAKEN, CUP_SNAPSHOT_NOT_FOUND, CUP_TABLE_UNSUPPORTED
     */
    async compareWithShadow(input: CompareWithShadow): Promise<ComparedRound> {
      const { shadow, round } = input;
      await refuseOvertaken(shadow);
      const { differences, ...counted } = await withHeartbeat(() => compare(input));
      const reportUri = `gs://${buckets.ops}/parity/${shadow.source}/${shadow.run.runId}-${round}.ndjson`;
      await writeReport(store, reportUri, differences);
      return { ...counted, reportUri };
    },

    /** Drops a shadow with its files, batches and contract; one that is gone already is no error. */
    async dropShadow({ shadow }: { shadow: Shadow }): Promise<void> {
      await withHeartbeat(() => dropShadow(working, shadow));
    },
  };
}

/**
 * Drops the shadows of a contract's table whose run is closed: one that was terminated dropped nothing.
 *
 * @returns how many
 */
export async function dropClosedShadows(resources: ActivityResources, contract: CompiledContract): Promise<number> {
  const working = { ...resources, opsBucket: resources.environment.buckets.ops };
  let dropped = 0;
  for (const shadow of await listShadows(working, contract)) {
    if (await isOpen(resources.temporal, shadow.run)) continue;
    await dropShadow(working, shadow);
    dropped += 1;
  }
  return dropped;
}
