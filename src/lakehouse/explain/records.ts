import { orderColumns } from '../../contracts/index.ts';
import type { CompiledContract, Row, Value } from '../../contracts/index.ts';
import { formatTimestamp } from '../format.ts';
import type { Processing } from './batches.ts';
import type { LostBy } from './judge.ts';
import type { KeptRefusal } from './refusals.ts';
import type { FoundRecord } from './scan.ts';
import type { RowChange, SilverHistory } from './silver.ts';
import type { RecordStory, RowSince, SilverRow } from './types.ts';
import type { Candidate, Evidence } from './verdict.ts';

/** A value of a row as text: times as an export writes them. */
export function valueText(value: Value | undefined): string {
  if (value === null || value === undefined) return 'none';
  return typeof value === 'bigint' ? formatTimestamp(value) : String(value);
}

function orderOf(contract: CompiledContract, row: Row): Record<string, string> {
  return Object.fromEntries(orderColumns(contract).map((column) => [column, valueText(row[column])]));
}

/** Whether a row is the one that a record became. */
export function isOf(row: Row | null, recordId: string, of: Row): boolean {
  return (
    row !== null &&
    row._record_id === recordId &&
    row._record_hash === of._record_hash &&
    row._carrier_order === of._carrier_order
  );
}

/** Since when a row is as a condition says: the first snapshot of those that show it. */
export function sinceWhen(changes: RowChange[], is: (row: Row | null) => boolean): RowSince | null {
  const found = changes.find(({ row }) => is(row));
  if (!found) return null;
  const { snapshotId, at, since, batchIds } = found;
  return { snapshotId, at, since, batchIds };
}

/** What people call the parts of the order. */
function partName(contract: CompiledContract, part: string): string {
  if (part === '_carrier_order') return `${contract.carrierOrder} (_carrier_order)`;
  return part;
}

const LESS: Record<string, string> = {
  _tombstone: 'the other is a tombstone',
  _carrier_order: 'earlier',
  _rules_version: 'lower',
  _record_hash: 'lesser hash',
};

/** Why a record lost, in one line. */
export function lostText(contract: CompiledContract, { part, tiedIn }: LostBy, sameContent: boolean): string {
  const content = sameContent ? 'the same content' : 'other content';
  if (part === 'record') return 'duplicate: the same record in another object, the lesser id stands';
  if (!tiedIn.length) return `${partName(contract, part)} older; ${content}`;
  const tie = tiedIn.filter((column) => column !== '_tombstone' && column !== '_rules_version');
  const tied = tie.map((column) => partName(contract, column)).join(' and ');
  const lost = part === '_tombstone' ? LESS._tombstone : `${partName(contract, part)} ${LESS[part] ?? 'older'}`;
  return `tie of ${tied}: ${lost}; ${content}${sameContent ? ', a duplicate' : ''}`;
}

/** By what the winner wins, in one line. */
function wonText(contract: CompiledContract, decidedBy: LostBy | null): string {
  if (!decidedBy) return 'wins: the only content';
  const { part, tiedIn } = decidedBy;
  if (!tiedIn.length) return `wins: newest ${partName(contract, part)}`;
  const tie = tiedIn.filter((column) => column !== '_tombstone' && column !== '_rules_version');
  const by = part === '_tombstone' ? 'a tombstone' : `${partName(contract, part)} decides`;
  return `wins: tie of ${tie.map((column) => partName(contract, column)).join(' and ')}, ${by}`;
}

/** `A`, `B`, …, `Z`, `AA`, …: names of contents. */
function letters(index: number): string {
  const letter = String.fromCharCode(65 + (index % 26));
  return index < 26 ? letter : letters(Math.floor(index / 26) - 1) + letter;
}

/** Names each content by the order in which it comes. */
export function contentNames(rows: Row[]): Map<Value, string> {
  const hashes = [...new Set(rows.map((row) => row._record_hash ?? null))];
  return new Map(hashes.map((hash, index) => [hash, letters(index)]));
}

const keptOf = (kept: KeptRefusal[], { object, offset }: FoundRecord): KeptRefusal[] =>
  kept.filter((of) => of.object === object && (of.offset === null || of.offset === offset));

/** What all stories of one row are told from. */
export interface Told extends Evidence {
  decidedBy: LostBy | null;
  changes: RowChange[];
  kept: KeptRefusal[];
}

type Common = Pick<
  RecordStory,
  'object' | 'offset' | 'recordId' | 'messageId' | 'partition' | 'by' | 'processing' | 'kept'
>;

function common({ record, processing }: Pick<Candidate, 'record' | 'processing'>, kept: KeptRefusal[]): Common {
  const { object, offset, recordId, messageId, partition, by } = record;
  const message = messageId === undefined ? {} : { messageId };
  return { object, offset, recordId, ...message, partition, by, processing, kept: keptOf(kept, record) };
}

/** What Silver shows needs no batch as proof. */
function provenBy(processing: Processing, shown: boolean): Processing {
  return shown && processing.state !== 'settled' ? { state: 'committed' } : processing;
}

/** The stories of the records that the contract accepts, greatest first. */
export function acceptedStories(told: Told): RecordStory[] {
  const { contract, judgement, decidedBy, changes, rows, kept } = told;
  if (!judgement) return [];
  const names = contentNames(judgement.ranked.map(({ of }) => of.row));
  return judgement.ranked.map(({ of, lostBy }) => {
    const { row, record } = of;
    const same = row._record_hash === judgement.row._record_hash;
    const inSilver = rows.some((held) => isOf(held, record.recordId, row));
    const becameRow = sinceWhen(changes, (held) => isOf(held, record.recordId, row));
    return {
      ...common(of, kept),
      processing: provenBy(of.processing, inSilver || becameRow !== null),
      outcome: lostBy ? 'lost' : 'winner',
      why: lostBy ? lostText(contract, lostBy, same) : wonText(contract, decidedBy),
      order: orderOf(contract, row),
      content: names.get(row._record_hash ?? null) ?? null,
      lostBy,
      refused: null,
      inSilver,
      becameRow,
    };
  });
}

/** The story of a record that the contract refuses. */
export function refusedStory(
  { changes, rows, kept }: Pick<Told, 'changes' | 'rows' | 'kept'>,
  record: FoundRecord,
  processing: RecordStory['processing'],
): RecordStory {
  const refused = 'refused' in record.made ? record.made.refused : null;
  const whole = refused?.whole === 'object' ? 'its object is refused: ' : '';
  const unread = record.by === 'text' ? '; its text holds the key' : '';
  return {
    ...common({ record, processing }, kept),
    outcome: 'refused',
    why: `${whole}${refused?.code ?? ''}, ${refused?.detail ?? ''}${unread}`,
    order: null,
    content: null,
    lostBy: null,
    refused,
    inSilver: rows.some((row) => row._record_id === record.recordId),
    becameRow: sinceWhen(changes, (row) => row?._record_id === record.recordId),
  };
}

/** The row of Silver, for reading. */
export function toSilverRow(
  contract: CompiledContract,
  row: Row,
  { changes }: SilverHistory,
  logObject: string | null,
): SilverRow {
  const values = Object.entries(row).map(([name, value]) => [
    name,
    typeof value === 'bigint' ? formatTimestamp(value) : value,
  ]);
  const same = (held: Row | null): boolean =>
    held !== null && held._record_id === row._record_id && held._record_hash === row._record_hash;
  return {
    recordId: String(row._record_id),
    object: String(row._bronze_object),
    contract: String(row._contract),
    current: row._contract === contract.hash,
    rulesVersion: Number(row._rules_version),
    values: Object.fromEntries(values) as SilverRow['values'],
    since: sinceWhen(changes, same),
    logObject,
  };
}
