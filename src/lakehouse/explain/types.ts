import type { Processing } from './batches.ts';
import type { GoldReach } from './gold.ts';
import type { LostBy } from './judge.ts';
import type { KeptRefusal } from './refusals.ts';
import type { Refusal, UnreadableObject } from './scan.ts';
import type { Verdict } from './verdict.ts';

/** A record that landed, and what became of it. */
export interface RecordStory {
  /** Name in the Bronze bucket. */
  object: string;
  offset: number;
  /** The same wherever the record is seen. */
  recordId: string;
  /** Pub/Sub's id, where messages are archived. */
  messageId?: string;
  /** `<feed>/YYYY-MM-DDTHH` */
  partition: string;
  outcome: 'winner' | 'lost' | 'refused';
  /** One line for people. */
  why: string;
  /** The parts of the total order, most significant first, as text; none of a refused record. */
  order: Record<string, string> | null;
  /**
   * Which content it has: records of one letter have the same `_record_hash`, `A` is the winner's, then in order. None of a refused
   * record.
   */
  content: string | null;
  /** By which part of the order it lost against the winner. */
  lostBy: LostBy | null;
  refused: Refusal | null;
  /** How the key was found: `text` where it cannot be read, and the raw record holds it as a word. */
  by: 'key' | 'text';
  processing: Processing;
  /** Whether Silver's row is of this very record. */
  inSilver: boolean;
  /** Snapshot since which it was the row, of those that are kept; null: it is the row of none. */
  becameRow: RowSince | null;
  /** What quarantine kept of it, also under earlier contracts, oldest first. */
  kept: KeptRefusal[];
}

/** A snapshot in which a record became the row. */
export interface RowSince {
  snapshotId: string;
  /** ISO 8601 */
  at: string;
  /** As in {@link RowChange}. */
  since: 'exact' | 'between' | 'before';
  /** The batches that the snapshot commits. */
  batchIds: string[];
}

/** The row of Silver, as it is now. */
export interface SilverRow {
  recordId: string;
  object: string;
  /** Hash of the contract that made it. */
  contract: string;
  /** Whether that is the contract in force. */
  current: boolean;
  rulesVersion: number;
  /** All columns as text; null where there is no value. */
  values: Record<string, string | number | boolean | null>;
  /** When the row came to be of its record; null of a log, which has no snapshots. */
  since: RowSince | null;
  /** Object of the log that holds it; null of a table. */
  logObject: string | null;
}

/** The story of one row. */
export interface RowStory {
  /** Value of the key; of a log the record id. */
  key: string;
  /** Hour of a log's record, `YYYY-MM-DDTHH`; null of a table. */
  hour: string | null;
  verdict: Verdict;
  /** The part of the order that decided over the next content; null where there is no other. */
  decidedBy: LostBy | null;
  /** Whether several contents have the greatest version: a real tie. */
  tie: boolean;
  silver: SilverRow | null;
  /** Every record, greatest first, then those that are refused. */
  records: RecordStory[];
  gold: GoldReach | null;
}

/** Everything that is known of a key. */
export interface Explanation {
  source: string;
  /** Full name, such as `silver.earthquakes`. */
  table: string;
  /** Columns of the total order, most significant first. */
  order: string[];
  contract: { hash: string; version: string; rulesVersion: number };
  /** What was looked through. */
  searched: { from: string | null; to: string | null; objects: number; bytes: number; snapshots: number };
  rows: RowStory[];
  /** Objects none of whose records can be told; those that hold the key as a word first. */
  unreadable: UnreadableObject[];
  /** Refusals of messages that only a stream has seen, with the key as a word. */
  refusedInStream: KeptRefusal[];
}
