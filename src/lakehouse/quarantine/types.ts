import type { FileKept } from './kept.ts';

/** What is in quarantine: a record, an object of Bronze that validation refused whole, or a file that never came into Bronze. */
export type QuarantineKind = 'record' | 'object' | 'file';

/** One refusal, as one batch (or one look at an object or file) kept it. */
export interface Copy {
  /** Of the JSON object in quarantine. */
  uri: string;
  /** Hash of the contract that refused it. */
  contract: string;
}

/** One thing in quarantine. A record that several batches refused is one entry with several copies. */
export interface QuarantineEntry {
  kind: QuarantineKind;
  /** Record: `<bronze object>#<offset>`. Object: `<bronze object>#<generation>`. File: `<name>#<generation>`. */
  id: string;
  /** Of the newest copy. */
  reasonCode: string;
  /** What was expected; never a value. Of the newest copy. */
  detail: string;
  /** Partitions of Bronze that hold it. An archived object belongs to two hours; a file to that of its drop. */
  partitions: string[];
  copies: Copy[];
  /** Of a record: where it is. */
  record?: { bronzeObject: string; offset: number };
  /** Of an object: its name. */
  object?: string;
  /** Of a file: what its note says. */
  file?: FileKept;
}

/** Which entries are meant. Default of each: all. */
export interface QuarantineFilter {
  /** Codes of the catalogue (docs/quarantine.md). */
  reasons?: string[];
  /** Nominal hours from this UTC time on. */
  from?: string;
  /** Nominal hours before this UTC time. */
  to?: string;
  feed?: string;
}
