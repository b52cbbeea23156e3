import pLimit from 'p-limit';
import { orderColumns, tableName } from '../../contracts/index.ts';
import type { CompiledContract, Row } from '../../contracts/index.ts';
import { listBronze } from '../bronze/index.ts';
import type { HourRange } from '../bronze/index.ts';
import type { CommitterResources } from '../committer/index.ts';
import type { ChunkObject } from '../deltas/index.ts';
import type { Ledger } from '../ledger/index.ts';
import { Batches } from './batches.ts';
import type { Processing } from './batches.ts';
import { goldReach } from './gold.ts';
import type { GoldResources } from './gold.ts';
import { judge } from './judge.ts';
import type { Judgement, LostBy } from './judge.ts';
import { textMatcher } from './key.ts';
import type { Selection } from './key.ts';
import { findInLog } from './log.ts';
import type { LogRow } from './log.ts';
import { groupsOf } from './groups.ts';
import type { Group } from './groups.ts';
import { acceptedStories, refusedStory, toSilverRow } from './records.ts';
import { findRefusals } from './refusals.ts';
import type { KeptRefusal } from './refusals.ts';
import { scanBronze } from './scan.ts';
import type { FoundRecord, Scan } from './scan.ts';
import { NO_HISTORY, silverHistory } from './silver.ts';
import type { SilverHistory } from './silver.ts';
import type { Explanation, RowStory } from './types.ts';
import { verdictOf } from './verdict.ts';
import type { Candidate } from './verdict.ts';

/** What explaining works with. */
export interface ExplainResources extends CommitterResources {
  bronzeBucket: string;
  quarantineBucket: string;
  opsBucket: string;
  ledger: Pick<Ledger, 'latest'>;
  /** Undefined: Gold is left out. */
  gold?: GoldResources;
  /** Called now and then with what goes on, for people. */
  progress(text: string): void;
}

/** Partitions and refused objects that are looked up at once. */
const AT_ONCE = 8;

/** All hours, for a listing. */
const ALWAYS: HourRange = { from: new Date('1970-01-01T00:00:00Z'), to: new Date('9999-12-30T00:00:00Z') };

/** What decided over the next other content; a later sighting of the winner's own content decides nothing. */
function decidedBy(judgement: Judgement<Candidate> | undefined): LostBy | null {
  const other = judgement?.ranked.find(({ of }) => of.row._record_hash !== judgement.row._record_hash);
  return other?.lostBy ?? null;
}

/** Tells the story of a key: see {@link explain}. */
class Story {
  readonly #resources: ExplainResources;
  readonly #contract: CompiledContract;
  readonly #selection: Selection;
  readonly #range: HourRange | undefined;

  constructor(
    resources: ExplainResources,
    contract: CompiledContract,
    selection: Selection,
    range: HourRange | undefined,
  ) {
    this.#resources = resources;
    this.#contract = contract;
    this.#selection = selection;
    this.#range = range;
  }

  async tell(): Promise<Explanation> {
    const { store, bronzeBucket, progress } = this.#resources;
    progress('Bronze is listed');
    const listed = await listBronze(store, bronzeBucket, this.#contract, this.#range ?? ALWAYS);
    const scan = await this.#scan(listed);
    // Before Silver: what is settled by now must be in what is read next.
    const batches = await Batches.open(this.#resources, this.#contract);
    const processing = await this.#processing(batches, scan.records);
    const kept = await this.#refusals(scan);
    const history = await this.#history();
    const logRows = await this.#logRows();
    const names = new Set(listed.map(({ name }) => name));
    const rows: RowStory[] = [];
    for (const group of groupsOf(this.#contract, this.#selection, scan, logRows))
      rows.push(await this.#tellRow({ group, scan, processing, kept, history, names }));
    return this.#explanation(scan, history, rows, kept);
  }

  async #scan(listed: ChunkObject[]): Promise<Scan> {
    const { store, bronzeBucket, progress } = this.#resources;
    const look = ({ objects, of, found }: { objects: number; of: number; found: number }): void => {
      if (objects % 50 === 0 || objects === of) progress(`Bronze: ${objects} of ${of} objects, ${found} records found`);
    };
    return scanBronze({ store, bronzeBucket, progress: look }, this.#contract, this.#selection, listed);
  }

  async #processing(batches: Batches, records: FoundRecord[]): Promise<Map<FoundRecord, Processing>> {
    this.#resources.progress('batches and the ledger are read');
    const waiting = new Map<string, Processing>();
    const [first] = this.#selection;
    const keys =
      this.#contract.sink.kind === 'append-log'
        ? new Set(records.map(({ recordId }) => recordId))
        : [String(first?.value)];
    for (const key of keys)
      for (const { batchId, row } of await batches.waitingRows(key))
        waiting.set(`${String(row._record_id)} ${String(row._record_hash)}`, {
          state: 'waiting',
          batchId,
          contract: String(row._contract),
        });
    const limit = pLimit(AT_ONCE);
    const entries = records.map((record) =>
      limit(async (): Promise<[FoundRecord, Processing]> => {
        const of = await batches.processing(record.partition, record.object);
        const hash = 'row' in record.made ? String(record.made.row._record_hash) : '';
        const streamed = waiting.get(`${record.recordId} ${hash}`);
        return [record, of.state === 'settled' ? of : (streamed ?? of)];
      }),
    );
    return new Map(await Promise.all(entries));
  }

  async #refusals({ records }: Scan): Promise<KeptRefusal[]> {
    const { store, quarantineBucket, progress } = this.#resources;
    const places = new Set(records.flatMap(({ object, offset }) => [`${object}#${offset}`, object]));
    return findRefusals(
      store,
      quarantineBucket,
      this.#contract.source,
      (object, offset) => places.has(offset === null ? object : `${object}#${offset}`),
      textMatcher(this.#selection),
      (notes) => progress(`quarantine: ${notes} refusals read`),
    );
  }

  async #history(): Promise<SilverHistory> {
    if (this.#contract.sink.kind === 'append-log') return NO_HISTORY;
    const { progress } = this.#resources;
    return silverHistory(this.#resources, this.#contract, String(this.#selection[0]?.value), (done, of) => {
      if (done % 10 === 0 || done === of) progress(`Silver: ${done} of ${of} snapshots`);
    });
  }

  async #logRows(): Promise<LogRow[]> {
    if (this.#contract.sink.kind !== 'append-log') return [];
    this.#resources.progress('the log is read');
    return findInLog(this.#resources, this.#contract, this.#selection, this.#range);
  }

  async #tellRow(of: {
    group: Group;
    scan: Scan;
    processing: Map<FoundRecord, Processing>;
    kept: KeptRefusal[];
    history: SilverHistory;
    names: ReadonlySet<string>;
  }): Promise<RowStory> {
    const { group, scan, processing, kept, history, names } = of;
    const contract = this.#contract;
    const stateOf = (record: FoundRecord): Processing => processing.get(record) ?? { state: 'unknown' };
    const candidates = group.records.flatMap((record): Candidate[] =>
      'row' in record.made ? [{ record, row: record.made.row, processing: stateOf(record) }] : [],
    );
    const judgement = judge(
      contract,
      candidates.map((candidate) => ({ of: candidate, row: candidate.row })),
    );
    const rows = group.hour === null ? history.rows : group.rows.map(({ row }) => row);
    const decided = decidedBy(judgement);
    const evidence = {
      ...{ contract, judgement, candidates, records: group.records, unreadable: scan.unreadable, rows },
      limited: this.#range !== undefined,
      bronzeHolds: (object: string) => names.has(object),
    };
    const told = { ...evidence, decidedBy: decided, changes: history.changes, kept };
    const refused = group.records.filter(({ made }) => 'refused' in made).sort(byPlace);
    const [row = null] = rows;
    return {
      key: group.key,
      hour: group.hour,
      verdict: verdictOf(evidence),
      decidedBy: decided,
      tie: isTie(contract, candidates, judgement?.row),
      silver: row && toSilverRow(contract, row, history, group.rows[0]?.uri ?? null),
      records: [...acceptedStories(told), ...refused.map((record) => refusedStory(told, record, stateOf(record)))],
      gold: await this.#gold(row, history),
    };
  }

  async #gold(row: Row | null, history: SilverHistory): Promise<RowStory['gold']> {
    const { gold, progress } = this.#resources;
    if (!gold) return null;
    progress('Gold is asked');
    return goldReach(gold, this.#contract, row, history);
  }

  #explanation(scan: Scan, history: SilverHistory, rows: RowStory[], kept: KeptRefusal[]): Explanation {
    const { source, hash, version, rulesVersion } = this.#contract;
    const places = new Set(scan.records.map(({ object, offset }) => `${object}#${offset}`));
    const objects = new Set(scan.records.map(({ object }) => object));
    const isKnown = (of: KeptRefusal): boolean =>
      of.offset === null ? objects.has(of.object) : places.has(`${of.object}#${of.offset}`);
    return {
      source,
      table: tableName(this.#contract),
      order: orderColumns(this.#contract),
      contract: { hash, version, rulesVersion },
      searched: {
        from: this.#range?.from.toISOString() ?? null,
        to: this.#range?.to.toISOString() ?? null,
        objects: scan.objects,
        bytes: scan.bytes,
        snapshots: history.snapshots,
      },
      rows,
      unreadable: scan.unreadable.sort(
        (a, b) => Number(b.holdsKey) - Number(a.holdsKey) || (a.object < b.object ? -1 : 1),
      ),
      refusedInStream: kept.filter((of) => !isKnown(of)),
    };
  }
}

/** Objects are read side by side, so they come in any order. */
function byPlace(a: FoundRecord, b: FoundRecord): number {
  if (a.object !== b.object) return a.object < b.object ? -1 : 1;
  return a.offset - b.offset;
}

/** Several contents claim the greatest version. */
function isTie(contract: CompiledContract, candidates: Candidate[], winner: Row | undefined): boolean {
  const [version = ''] = orderColumns(contract);
  const greatest = candidates.filter(({ row }) => row[version] === winner?.[version]);
  return new Set(greatest.map(({ row }) => row._record_hash)).size > 1;
}

/**
 * Everything that is known of a key: each record that ever landed, which one wins and by which part of the order, what Silver holds and
 * since which snapshot, and where in Gold it is. Changes nothing.
 *
 * @param range nominal hours of Bronze to search. Default: all
 */
export function explain(
  resources: ExplainResources,
  contract: CompiledContract,
  selection: Selection,
  range?: HourRange,
): Promise<Explanation> {
  return new Story(resources, contract, selection, range).tell();
}
